"""Order and cycles among keys."""

from __future__ import annotations

from collections.abc import Collection

from controller.engine.graph import cycle_through, in_order
from resources.meta import Key


def key(name: str) -> Key:
    return Key("File", "default", name)


def graph(**edges: str):  # type: ignore[no-untyped-def]
    def dependencies(of: Key) -> Collection[Key]:
        return [key(name) for name in edges.get(of.name, "")]

    return dependencies


def test_dependencies_come_before_what_needs_them() -> None:
    ordered = in_order([key(name) for name in "abcd"], graph(a="b", b="cd"))
    assert [k.name for k in ordered] == ["c", "d", "b", "a"]


def test_what_is_not_asked_for_is_not_in_the_order() -> None:
    assert in_order([key("a")], graph(a="b")) == [key("a")]


def test_a_chain_of_ten_thousand_is_ordered() -> None:
    keys = [Key("File", "default", f"k{n:05}") for n in range(10_000)]
    after = {keys[n]: [keys[n + 1]] for n in range(9_999)}
    assert in_order(keys, lambda k: after.get(k, [])) == keys[::-1]


def test_a_cycle_is_named_as_a_path_back_to_its_start() -> None:
    edges = graph(a="b", b="c", c="a", d="a")
    assert cycle_through(key("a"), edges) == (key("a"), key("b"), key("c"), key("a"))
    assert cycle_through(key("d"), edges) is None, "it leads to a cycle and is in none"


def test_a_resource_that_needs_itself_is_a_cycle() -> None:
    assert cycle_through(key("a"), graph(a="a")) == (key("a"), key("a"))


def test_a_cycle_still_gets_an_order_with_every_key_once() -> None:
    assert sorted(in_order([key("a"), key("b")], graph(a="b", b="a"))) == [key("a"), key("b")]
