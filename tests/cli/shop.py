"""A shop that is built where it runs, with an environment to deploy it to, in a git repository of its own."""

from __future__ import annotations

import http.client
import io
import json
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from tests.agents.worlds.docker import IMAGE
from tests.cli.repository import git
from tests.cli.story import Shown, Story
from tests.cli.yard import Yard
from tests.support import eventually

# Answers with what was built into the image.
SERVE = "#!/bin/sh\ntrap 'exit 0' TERM\nmkdir -p /www; cp /page /www/index.html\nhttpd -f -p 8080 -h /www & wait $!\n"


@dataclass(frozen=True)
class Shop:
    story: Story
    yard: Yard
    port: int

    @property
    def root(self) -> Path:
        return self.story.root

    @property
    def overlay(self) -> Path:
        return self.root / "state/overlays/staging"

    @property
    def kustomization(self) -> Path:
        return self.overlay / "kustomization.yaml"

    @property
    def image(self) -> str:
        """A repository of this test's own."""
        return f"{self.yard.prefix}/shop"

    @property
    def name(self) -> str:
        return self.yard.name("shop")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/index.html"

    def begin(self) -> None:
        """Writes it all down, and commits it."""
        for directory in ("web", "state/base", "state/overlays/staging/tests"):
            (self.root / directory).mkdir(parents=True)
        self.change(
            "web/Dockerfile", f'FROM {IMAGE}\nLABEL test={self.yard.prefix}\nCOPY page serve /\nCMD ["/serve"]\n'
        )
        self.change("web/serve", SERVE)
        (self.root / "web/serve").chmod(0o755)
        self.change("web/page", "one")
        self.change("state/base/kustomization.yaml", "resources: [shop.yaml]\n")
        self.change("state/base/shop.yaml", "\n---\n".join([self.declared_image(), self.container()]))
        self.change(
            "state/overlays/staging/kustomization.yaml", "# the one that is tried out\nresources: [../../base]\n"
        )
        self.change("state/overlays/staging/tests/kustomization.yaml", "resources: [test.yaml]\n")
        test = "echo looking at the page; ! grep -q bad /page; exit $?"
        self.change("state/overlays/staging/tests/test.yaml", self._test(test))
        git(self.root, "init", "-q", "-b", "main")
        self.commit("begin")

    def declared_image(self) -> str:
        spec = {"image": f"{self.image}:1", "build": {"context": "../../web"}}
        return self._document("Image", self.name, spec)

    def container(self, **spec: Any) -> str:
        full = {"image": f"{self.image}:1", "ports": [f"127.0.0.1:{self.port}:8080"], "stopGracePeriod": "1s", **spec}
        return self._document("Container", self.name, full, {"pegasus2.dev/smoke": self.address})

    def _test(self, script: str) -> str:
        spec = {"image": f"{self.image}:1", "state": "completed", "command": ["sh", "-c", script]}
        return self._document("Container", self.yard.name("test"), spec)

    @staticmethod
    def _document(kind: str, name: str, spec: dict[str, Any], annotations: dict[str, str] | None = None) -> str:
        metadata = {"name": name, "annotations": annotations or {}}
        return json.dumps({"apiVersion": "pegasus2.dev/v1", "kind": kind, "metadata": metadata, "spec": spec})

    def change(self, file: str, content: str) -> None:
        (self.root / file).write_text(content)

    def commit(self, message: str) -> None:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", message)

    def build_deaf(self, tag: str) -> str:
        """An image that answers nobody. Returns its id."""
        text = f"FROM {IMAGE}\nLABEL test={self.yard.prefix}\nCMD sleep 600\n"
        reference = f"{self.image}:{tag}"
        for message in self.yard.engine.build(fileobj=io.BytesIO(text.encode()), tag=reference, rm=True, decode=True):
            assert "error" not in message, message
        return str(self.yard.engine.inspect_image(reference)["Id"])

    def edit(self, file: str, content: str) -> None:
        """Changes a file, and commits that."""
        self.change(file, content)
        self.commit(f"edit {file}")

    def deploy(self, *options: str) -> Shown:
        return self.story.p2("deploy", "--environment", "staging", "--timeout", "60s", *options)

    def page(self) -> str:
        """What it answers, once it does."""
        return eventually(self._page, f"{self.address} answers")

    def _page(self) -> str:
        try:
            with urllib.request.urlopen(self.address, timeout=10) as answer:
                return str(answer.read().decode())
        except (OSError, http.client.HTTPException):
            return ""

    def running(self) -> str:
        """The id of the image that it runs."""
        return str(self.yard.inspect("shop")["Image"])

    def subjects(self) -> list[str]:
        """Of all commits, newest first."""
        return git(self.root, "log", "--format=%s").splitlines()

    def clean(self) -> bool:
        """Whether everything is as committed."""
        return git(self.root, "status", "--porcelain") == ""

    def deployments(self) -> list[dict[str, Any]]:
        """As the history has them, newest first."""
        found = json.loads(self.story.p2("history", "-o", "json", "-n", "100").out)
        return [each for each in found if each["cause"] == "deploy"]

    def tags(self) -> list[str]:
        """All names of the shop's images."""
        return sorted(tag for each in self.yard.engine.images(name=self.image) for tag in each["RepoTags"] or ())

    def clear(self) -> None:
        self.yard.clear()
        for tag in self.tags():
            with suppress(NotFound, APIError):
                self.yard.engine.remove_image(tag, force=True)
        for each in self.yard.engine.images(filters={"label": f"test={self.yard.prefix}"}, all=True):
            with suppress(NotFound, APIError):
                self.yard.engine.remove_image(each["Id"], force=True)
