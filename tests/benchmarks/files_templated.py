"""A thousand templated files: nothing to do, and one changed, each in a new process; beside Salt and pyinfra.

Each contestant has a thousand files of its own in a directory of its own, made from one template and three variables.
"""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pegasus import Pegasus
from timing import Contestant, Goal, Report, Samples, clocked, comparison, interleave
from workbench import Bench, command

PER_MANIFEST = 50
TEMPLATE = "# {{ name }}\nlisten = {{ port }}\nedition = {{ edition }}\n" + "keep = this line\n" * 20

DIFF, APPLY, EDIT = "p2 diff, no-op", "p2 apply, no-op", "p2 apply, one changed"
SALT, SALT_EDIT = "Salt, no-op", "Salt, one changed"
PYINFRA, PYINFRA_EDIT = "pyinfra, no-op", "pyinfra, one changed"


@dataclass(frozen=True)
class Files:
    """`size` files below `target`, as each contestant wants them written down below `folder`."""

    folder: Path
    size: int

    @property
    def target(self) -> Path:
        return self.folder / "made"

    def variables(self, number: int, edition: str = "1") -> dict[str, str]:
        return {"name": f"service-{number}", "port": str(10_000 + number), "edition": edition}

    def write_template(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "service.conf").write_text(TEMPLATE)
        self.target.mkdir(exist_ok=True)
        return folder

    def write_manifests(self, edition: str = "1") -> Path:
        """Fifty resources a file. The `edition` is that of the first resource; all others stay as they are."""
        source = self.write_template(self.folder / "state")
        for first in range(0, self.size, PER_MANIFEST):
            documents = (
                self._manifest(n, edition if n == 0 else "1")
                for n in range(first, min(first + PER_MANIFEST, self.size))
            )
            path, text = source / f"services-{first:05}.yaml", "---\n".join(documents)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        return source

    def _manifest(self, number: int, edition: str) -> str:
        return textwrap.dedent(f"""\
            apiVersion: pegasus2.dev/v1
            kind: File
            metadata:
              name: service-{number}
            spec:
              path: {self.target}/service-{number}.conf
              source: service.conf
              template: true
              variables: {json.dumps(self.variables(number, edition))}
              mode: "0644"
            """)

    def write_salt(self, edition: str = "1") -> Path:
        """Returns the minion's configuration directory."""
        root = self.write_template(self.folder / "salt")
        states = {
            f"{self.target}/service-{n}.conf": {
                "file.managed": [
                    {"source": "salt://service.conf"},
                    {"template": "jinja"},
                    {"mode": "0644"},
                    {"context": self.variables(n, edition if n == 0 else "1")},
                ]
            }
            for n in range(self.size)
        }
        (root / "services.sls").write_text("#!json\n" + json.dumps(states, indent=1))
        minion = {"file_client": "local", "root_dir": str(self.folder), "file_roots": {"base": [str(root)]}}
        configuration = self.folder / "etc"
        configuration.mkdir(exist_ok=True)
        (configuration / "minion").write_text(json.dumps(minion))
        return configuration

    def write_pyinfra(self, edition: str = "1") -> Path:
        """Returns the deploy script."""
        root = self.write_template(self.folder / "pyinfra")
        calls = [
            (f"{self.target}/service-{n}.conf", self.variables(n, edition if n == 0 else "1")) for n in range(self.size)
        ]
        script = root / "deploy.py"
        script.write_text(
            textwrap.dedent(f"""\
                import json
                from pyinfra.operations import files

                for path, variables in json.loads({json.dumps(calls)!r}):
                    variables["label"] = variables.pop("name")  # pyinfra keeps `name` for itself
                    files.template(name=path, src={str(root / "pyinfra.conf")!r}, dest=path, mode="644", **variables)
                """)
        )
        (root / "pyinfra.conf").write_text(TEMPLATE.replace("{{ name }}", "{{ label }}"))
        return script


def run(bench: Bench) -> Report:
    size = 100 if bench.quick else 1000
    contestants = [*_ours(bench, size), *_salt(bench, size), *_pyinfra(bench, size)]
    if not contestants:
        return Report("Templated files", [], notes=bench.missing("salt-call", "pyinfra"))
    seen = interleave(contestants, bench.rounds(20, 3))
    table = comparison(f"{size} templated files", seen, APPLY)
    return Report("Templated files", [table], _goals(seen, size), bench.missing("salt-call", "pyinfra"))


def _ours(bench: Bench, size: int) -> list[Contestant]:
    if bench.baselines_only:
        return []
    files, p2 = Files(bench.place("files"), size), Pegasus.fresh(bench)
    source = files.write_manifests()
    p2.converge(source)
    p2.diff(source)
    edit = _edits(files.write_manifests, lambda: p2.converge(source))
    return [
        Contestant(DIFF, lambda: clocked(lambda: p2.diff(source))),
        Contestant(APPLY, lambda: clocked(lambda: p2.converge(source))),
        Contestant(EDIT, edit),
    ]


def _salt(bench: Bench, size: int) -> list[Contestant]:
    program = bench.peer("salt-call")
    if program is None:
        return []
    files = Files(bench.place("salt"), size)
    apply = partial(
        command, (program, "--local", "--retcode-passthrough", "-c", files.write_salt(), "state.apply", "services")
    )
    apply()
    return [
        Contestant(SALT, lambda: clocked(apply), rounds=5),
        Contestant(SALT_EDIT, _edits(files.write_salt, apply), rounds=5),
    ]


def _pyinfra(bench: Bench, size: int) -> list[Contestant]:
    program = bench.peer("pyinfra")
    if program is None:
        return []
    files = Files(bench.place("pyinfra"), size)
    apply = partial(command, (program, "@local", files.write_pyinfra(), "-y"))
    apply()
    return [
        Contestant(PYINFRA, lambda: clocked(apply), rounds=1),
        Contestant(PYINFRA_EDIT, _edits(files.write_pyinfra, apply), rounds=1),
    ]


def _edits(write: Callable[[str], Path], apply: Callable[[], object]) -> Callable[[], float]:
    """Each call gives one resource another edition, and takes the time of the command that follows."""
    editions = itertools.count(2)

    def edited() -> float:
        write(str(next(editions)))
        return clocked(apply)

    return edited


def _goals(seen: dict[str, Samples], size: int) -> list[Goal]:
    if DIFF not in seen:
        return []
    goals = [Goal(f"{name}, {size} files", 0.6, seen[name].median, "s") for name in (DIFF, APPLY, EDIT)]
    for peer, ours, least in ((SALT, APPLY, 6), (SALT_EDIT, EDIT, 6), (PYINFRA, APPLY, 60), (PYINFRA_EDIT, EDIT, 60)):
        if peer in seen:
            goals.append(Goal(f"{peer} / {ours}", least, seen[peer].median / seen[ours].median, "x", least=True))
    return goals
