"""What the objects of a cluster amount to: what is desired here, what is to go, and what is published of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event as Flag
from typing import Any

import pytest

from controller.sources.kube import source as kube_source
from controller.sources.kube.arrivals import Arrival
from controller.sources.kube.catalogue import Catalogue, Taken
from controller.sources.kube.objects import FINALIZER, Object, read_object
from controller.sources.kube.source import KubeSource
from controller.sources.kube.status_document import alike, status_document
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import DeletionPolicy, Key

NOW = 1_700_000_000.0


def body(name: str, *, generation: int = 1, created: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    spec = {"path": f"/tmp/{name}", "content": "x", **more.pop("spec", {})}
    metadata = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "generation": generation,
        "creationTimestamp": created,
        **more.pop("metadata", {}),
    }
    return {"apiVersion": "pegasus2.dev/v1", "kind": "File", "metadata": metadata, "spec": spec, **more}


def key(name: str) -> Key:
    return Key("File", "default", name)


class Listing:
    """A cluster that has these Files and nothing else."""

    server = "https://cluster.test"

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.bodies = bodies

    def list(self, path: str, query: Mapping[str, str | int] | None = None) -> Sequence[dict[str, Any]]:
        return [each for each in self.bodies if path.endswith(f"/{each['kind'].lower()}s")]


class Here:
    """The post of an operator that takes what names no node, or its own."""

    def __init__(
        self,
        owned: Sequence[Key],
        kept: Sequence[Key] = (),
        left: Sequence[Key] = (),
        parts: Mapping[Key, bool] | None = None,
    ) -> None:
        self._owned, self._kept, self._left, self._parts = owned, kept, left, parts or {}

    def takes(self, found: Object) -> bool:
        return found.node in ("", "here")

    def owns(self, key: Key) -> bool:
        return key in self._owned

    def parts(self, key: Key) -> Mapping[Key, bool]:
        return self._parts if key.kind == "ContainerSet" else {}

    def changed(self, keys: Iterable[Key]) -> None: ...

    def elsewhere(self, found: Object) -> None: ...

    def left(self) -> Sequence[Key]:
        return self._left

    def leaving(self, found: Object, at: float) -> bool:
        return False

    def keeps(self, key: Key) -> bool:
        return key in self._kept

    def cluster_now(self) -> str:
        return "kubernetes:1"


def source(
    *bodies: dict[str, Any], owned: Sequence[Key] = (), kept: Sequence[Key] = ()
) -> tuple[KubeSource, Catalogue]:
    catalogue = Catalogue()
    made = KubeSource(Listing(*bodies), "kubernetes:1", catalogue, Here(owned, kept))  # type: ignore[arg-type]
    return made, catalogue


def test_objects_are_desired_in_the_order_they_were_made() -> None:
    younger, older = body("a", created="2026-01-02T00:00:00Z"), body("b", created="2026-01-01T00:00:00Z")
    revision = source(younger, older)[0].read()
    assert [documents[0].key for documents in revision.documents.values()] == [key("b"), key("a")]
    assert revision.whole


def test_other_machines_objects_are_not_desired_here_and_what_was_made_of_them_goes() -> None:
    moved, never = body("moved", spec={"node": "there"}), body("never", spec={"node": "there"})
    made, catalogue = source(moved, never, owned=[key("moved")])
    revision = made.read()
    assert not revision.documents
    assert revision.orders == {key("moved"): DeletionPolicy.DELETE}
    assert catalogue.find(key("moved")) is None, "what is written to it is another's affair"


def test_what_stayed_when_its_object_was_given_away_stays_whatever_the_object_says_later() -> None:
    moved = body("moved", spec={"node": "there", "deletionPolicy": "Delete"})
    made, _ = source(moved, owned=[key("moved")], kept=[key("moved")])
    assert made.read().orders == {key("moved"): DeletionPolicy.RETAIN}


def test_deletion_is_an_order_with_what_the_object_says_of_it() -> None:
    deleting = {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": [FINALIZER]}
    found = body("data", metadata=deleting, spec={"deletionPolicy": "Retain"})
    made, catalogue = source(found, owned=[key("data")])
    assert made.read().orders == {key("data"): DeletionPolicy.RETAIN}
    assert catalogue.find(key("data")) is not None, "its finalizer is still to be taken away"


def member(number: int) -> Key:
    return Key("Container", "default", f"web-{number}")


def test_what_an_object_stands_for_no_longer_goes_by_an_order_unless_it_is_retained() -> None:
    found = body("web", spec={"replicas": 1, "template": {"image": "nginx"}}) | {"kind": "ContainerSet"}
    del found["spec"]["path"], found["spec"]["content"]
    here = Here([], parts={member(1): False, member(2): False, member(3): True})
    revision = KubeSource(Listing(found), "kubernetes:1", Catalogue(), here).read()  # type: ignore[arg-type]
    assert not revision.problems
    assert revision.orders == {member(2): DeletionPolicy.DELETE, member(3): DeletionPolicy.RETAIN}


def test_what_stood_for_others_and_was_let_go_meanwhile_leaves_them_too() -> None:
    gone = Key("ContainerSet", "default", "web")
    here = Here([gone], left=[gone], parts={member(1): False})
    revision = KubeSource(Listing(), "kubernetes:1", Catalogue(), here).read()  # type: ignore[arg-type]
    assert revision.orders == {gone: DeletionPolicy.RETAIN, member(1): DeletionPolicy.RETAIN}


def test_object_that_goes_without_us_is_no_affair_of_ours() -> None:
    going = {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": ["somebody.else/finalizer"]}
    made, catalogue = source(body("going", metadata=going))
    assert not made.read().orders
    assert catalogue.find(key("going")) is None


def test_object_that_the_models_refuse_is_a_problem_that_names_the_field() -> None:
    made, catalogue = source(body("bad", spec={"mode": "rwx"}))
    revision = made.read()
    ((problem,),) = revision.problems.values()
    assert (problem.key, problem.field) == (key("bad"), "spec.mode")
    taken = catalogue.find(key("bad"))
    assert taken is not None
    assert "octal" in taken.problem


def test_watch_ends_when_it_is_told_to_before_the_cluster_ever_answered() -> None:
    stop = Flag()
    stop.set()
    assert list(source()[0].watch(stop)) == []


# -- what is known ----------------------------------------------------------------------------------------------


class Told:
    """Stands for the watch, which tells of these one after the other."""

    def __init__(self, *news: dict[str, Any]) -> None:
        self._news = news

    def __call__(self, cluster: object, namespaces: object, arrived: Callable[[Arrival], None]) -> Told:
        for each in self._news:
            arrived(("MODIFIED", read_object(each)))
        return self

    def start(self, stop: Flag) -> None: ...

    def begin_again(self) -> None: ...


def test_news_that_are_older_than_what_is_known_bring_no_older_spec_back(monkeypatch: pytest.MonkeyPatch) -> None:
    late = body("a", generation=2, metadata={"resourceVersion": "20"}, spec={"content": "second"})
    monkeypatch.setattr(kube_source, "Watching", Told(late, body("b", metadata={"resourceVersion": "31"})))
    made, _ = source(body("a", generation=3, metadata={"resourceVersion": "30"}, spec={"content": "third"}))
    stop = Flag()
    revisions = made.watch(stop)
    next(revisions)
    told = [each.key for documents in next(revisions).documents.values() for each in documents]
    stop.set()
    assert told == [key("b")]


def test_cluster_that_was_put_back_to_an_older_moment_is_believed_when_all_of_it_is_looked_at() -> None:
    catalogue = Catalogue()
    catalogue.put(Taken(read_object(body("a", generation=3, metadata={"resourceVersion": "30"})), "third"))
    older = read_object(body("a", generation=2, metadata={"resourceVersion": "20"}))
    catalogue.put(Taken(older, "second"), looked=True)
    assert catalogue.find(key("a")) == Taken(older, "second")


def test_label_that_a_write_of_ours_tells_of_waits_for_the_watch() -> None:
    catalogue = Catalogue()
    before = read_object(body("a"))
    catalogue.put(Taken(before, "digest"))
    catalogue.wrote(read_object(body("a", metadata={"resourceVersion": "8", "labels": {"tier": "web"}})))
    known = catalogue.find(key("a"))
    assert known
    assert known.object == before


def test_late_news_do_not_undo_what_a_write_of_ours_has_told() -> None:
    catalogue = Catalogue()
    catalogue.put(taken(body("a")))
    catalogue.wrote(read_object(body("a", metadata={"resourceVersion": "9"})))
    catalogue.put(taken(body("a", metadata={"resourceVersion": "8"}), digest="other"))
    found = catalogue.find(key("a"))
    assert found is not None
    assert (found.object.version, found.digest) == ("9", "other")


def test_what_a_write_of_ours_tells_of_a_newer_edit_waits_for_the_watch() -> None:
    catalogue = Catalogue()
    catalogue.put(taken(body("a")))
    catalogue.wrote(read_object(body("a", generation=2, metadata={"resourceVersion": "9"})))
    found = catalogue.find(key("a"))
    assert found is not None
    assert found.object.generation == 1


# -- what is published ------------------------------------------------------------------------------------------


def taken(found: dict[str, Any], digest: str = "d1") -> Taken:
    return Taken(read_object(found), digest)


def status(reason: str = Reason.CONVERGED, truth: Truth = Truth.TRUE, **fields: Any) -> Status:
    condition = Condition(Type.READY, truth, reason, "", fields.get("observed_generation", 4), NOW)
    return Status(**{"generation": 4, "observed_generation": 4, "conditions": (condition,), "digest": "d1", **fields})


def test_the_loops_own_counting_becomes_the_clusters() -> None:
    document = status_document(taken(body("a", generation=9)), status(), "atlas", NOW)
    assert document["observedGeneration"] == 9
    assert document["conditions"][0]["observedGeneration"] == 9
    assert document["conditions"][0]["message"] == "as declared"
    assert document["node"] == "atlas"


@pytest.mark.parametrize("behind", [{"digest": "older"}, {"observed_generation": 3}])
def test_what_was_found_of_an_older_spec_keeps_the_generation_it_was_found_at(behind: dict[str, Any]) -> None:
    found = body("a", generation=9, status={"observedGeneration": 8})
    assert status_document(taken(found), status(**behind), "atlas", NOW)["observedGeneration"] == 8


def test_deletion_that_waits_for_a_system_says_how_to_let_the_object_go() -> None:
    deleting = {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": [FINALIZER], "namespace": "shop"}
    found = taken(body("a", metadata=deleting), digest="")
    waiting = status_document(found, status(Reason.AGENT_UNAVAILABLE, Truth.UNKNOWN), "atlas", NOW)
    assert "kubectl patch files.pegasus2.dev a -n shop --type=merge" in waiting["conditions"][0]["message"]
    in_turn = status_document(found, status(Reason.DELETING, Truth.FALSE), "atlas", NOW)
    assert "kubectl" not in in_turn["conditions"][0]["message"]


def test_object_that_never_could_be_used_has_nothing_that_stays_in_force() -> None:
    bad = Taken(read_object(body("bad", generation=3)), problem="spec.mode: cannot read it")
    assert status_document(bad, None, "atlas", NOW)["conditions"][0]["message"] == "spec.mode: cannot read it"
    worked_before = status_document(bad, status(), "atlas", NOW)["conditions"][0]
    assert worked_before["message"].endswith("what was declared before it stays in force")
    assert (worked_before["status"], worked_before["observedGeneration"]) == ("False", 3)


def test_status_that_says_the_same_is_not_written_again() -> None:
    document = status_document(taken(body("a")), status(), "atlas", NOW)
    assert alike({**document, "of": "others"}, document)
    assert not alike({**document, "conditions": []}, document)
    assert not alike(document, {**document, "handle": "other"})


def test_object_without_a_node_of_its_own_reads_as_one() -> None:
    found: Object = read_object(body("a"))
    assert (found.node, found.held, found.retains, found.file) == ("", False, False, "kubernetes:File/default/a")
