"""Same file, both worlds: what the project shows and ships is taken by an API server as it is."""

from __future__ import annotations

import pytest

from tests.apiserver import Kubernetes
from tests.pages import FILES_MODE_ONLY, ROOT, Document, documents

pytestmark = pytest.mark.kube
STRICT = ("--dry-run=server", "--validate=strict")
ALL = list(documents())


@pytest.mark.parametrize("document", [each for each in ALL if not each.mark], ids=str)
def test_every_document_is_applied_unchanged(cluster: Kubernetes, document: Document) -> None:
    applied = cluster.apply(document.text, *STRICT, "-o", "name")
    assert len(applied.out.splitlines()) == document.text.count("\napiVersion: ") + document.text.startswith(
        "apiVersion: "
    )


@pytest.mark.parametrize("document", [each for each in ALL if each.mark == FILES_MODE_ONLY], ids=str)
def test_what_is_marked_as_for_files_mode_only_is_refused(cluster: Kubernetes, document: Document) -> None:
    refused = cluster.kubectl("apply", "-f", "-", *STRICT, stdin=document.text, check=False)
    assert refused.code != 0
    assert "invalid" in refused.err


@pytest.mark.parametrize("directory", ["state", "docs/examples/shop"])
def test_directory_is_applied_unchanged(cluster: Kubernetes, directory: str) -> None:
    applied = cluster.kubectl("apply", *STRICT, "-o", "name", "-f", str(ROOT / directory))
    assert applied.out.splitlines()
    assert applied.err == ""
