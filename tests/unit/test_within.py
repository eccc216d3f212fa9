"""What lies in a declared directory waits for it, without saying so."""

from __future__ import annotations

from typing import Any

from controller.engine.index import Index
from controller.engine.revision import Revision
from resources.kinds.file import File
from resources.meta import Declared, Origin
from resources.parsed import digest_of


def file(name: str, path: str, **spec: Any) -> Declared:
    document = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "File",
        "metadata": {"name": name},
        "spec": {"path": path, **spec},
    }
    resource = File.model_validate(document)
    return Declared(resource, Origin(f"/{name}.yaml"), digest_of(resource))


def revision(*declared: Declared, **more: Any) -> Revision:
    return Revision({each.origin.file: (each,) for each in declared}, **more)


def test_file_needs_the_declared_directories_above_it_whichever_came_first() -> None:
    inner, outer = file("inner", "/srv/app/conf/x", content=""), file("outer", "/srv/app", type="directory")
    beside = file("beside", "/srv/app2/x", content="")
    index = Index(lambda key, digest: 1)
    index.take(revision(inner, beside))
    assert index.dependencies(inner.key) == frozenset()
    index.take(revision(outer, whole=False))
    assert index.dependencies(inner.key) == {outer.key}
    assert index.dependents(outer.key) == {inner.key}
    assert index.dependencies(beside.key) == frozenset()
    index.take(Revision({}, gone=frozenset({"/outer.yaml"}), whole=False))
    assert index.dependencies(inner.key) == frozenset()
