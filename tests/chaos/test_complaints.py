"""What users of other programs complain of, where no test of a feature shows already that it does not happen here.

docs/reliability.md has the whole list, with the test for each.
"""

from __future__ import annotations

import time
from dataclasses import replace

from resources.conditions import Reason
from tests.chaos.meter import Metered
from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually, listed
from tests.unit.world import Loop, gadget


def below_a_file(story: Story, name: str) -> str:
    """A document that cannot be applied: its path leads through a file."""
    return story.file(name).replace(f"world/{name}", f"world/in-the-way/{name}")


def test_retry_of_an_old_spec_never_blocks_the_fix(story: Story, controller: Controller) -> None:
    """argo-cd#11494, argo-cd#17314: a failed revision was retried, and the one that mended it waited."""
    (story.world / "in-the-way").write_text("a file")
    story.write("all.yaml", below_a_file(story, "one"), story.file("two"))
    controller.start()
    eventually(lambda: listed(story).get("one", {}).get("status") == "False", "it failed")
    eventually(lambda: (story.world / "two").exists(), "the other one was made")
    story.write("all.yaml", story.file("one", "mended"), story.file("two"))
    eventually(lambda: (story.world / "one").exists(), "the fix was applied at once", seconds=3)
    eventually(lambda: all_ready(story, ["one", "two"]), "both were ready")
    assert at_rest(controller)


def test_healing_goes_on_after_an_edit_that_failed(story: Story, controller: Controller) -> None:
    """argo-cd#18442: self-healing was off for good after a failed run."""
    (story.world / "in-the-way").write_text("a file")
    story.write("all.yaml", story.file("one"), story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    story.write("all.yaml", below_a_file(story, "one"), story.file("two"))
    eventually(lambda: listed(story)["one"].get("status") == "False", "the edit failed")
    (story.world / "two").unlink()
    eventually((story.world / "two").exists, "the other one was healed")
    story.write("all.yaml", story.file("one"), story.file("two"))
    eventually(lambda: all_ready(story, ["one", "two"]), "both were ready")
    (story.world / "one").write_text("by hand")
    eventually(lambda: (story.world / "one").read_text() == "hello", "the one that had failed was healed, too")


def test_hundreds_that_fail_do_not_starve_the_one_that_is_well() -> None:
    """flux2#5622: failing objects took the workers of healthy ones."""
    loop = Loop()
    failing = [gadget(f"bad{number}", color="red") for number in range(300)]
    loop.agent.refused = {each.metadata.name: "no" for each in failing}
    loop.apply(*failing, gadget("good", color="red"))
    assert loop.reason("good") == Reason.CONVERGED
    assert loop.agent.log == ["create good"]
    loop.agent.log.clear()
    loop.apply(*failing, gadget("good", color="blue"))
    assert loop.agent.log == ["update good"]


def test_what_an_apply_that_failed_in_part_has_made_goes_with_its_declaration(story: Story) -> None:
    """kustomize-controller#409: what was applied before the failure was never recorded, and stayed for ever."""
    (story.world / "in-the-way").write_text("a file")
    story.write("all.yaml", story.file("a"), below_a_file(story, "bad"), story.file("z"))
    assert story.p2("apply").code == 1
    assert sorted(path.name for path in story.world.iterdir()) == ["a", "in-the-way", "z"]
    story.write("all.yaml", below_a_file(story, "bad"))
    assert story.p2("apply", "--yes").code == 1
    assert [path.name for path in story.world.iterdir()] == ["in-the-way"]


def test_upgrade_that_counts_digests_otherwise_changes_nothing() -> None:
    """compose#11335: a new version hashed the configuration in another way, and recreated everything."""
    loop = Loop()
    assert loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    before = dict(loop.agent.world)
    inventory = loop.stores.inventory
    inventory.confirm([replace(record, digest="as-of-old") for record in inventory.records("/desired").values()])
    assert Loop(loop.agent, loop.stores).apply(gadget("a", color="red"), gadget("b", color="red"))
    assert loop.agent.world == before
    assert sorted(loop.agent.log) == ["create a", "create b"]


def test_diff_plans_what_depends_on_what_is_not_there_yet(story: Story) -> None:
    """ansible#31113: a check without changes broke where a step needed the result of one that it had skipped."""
    directory = story.file("dir", type="directory").replace("\n  content: hello", "")
    inside = story.file("inside", dependsOn="[File/dir]").replace("world/inside", "world/dir/inside")
    story.write("all.yaml", inside, directory)
    shown = story.p2("diff")
    assert shown.code == 1, shown.err
    assert "2 to create" in shown.out
    assert list(story.world.iterdir()) == []
    assert story.p2("apply").code == 0


def test_controller_does_not_react_to_its_own_changes(story: Story) -> None:
    """salt#23685: a reactor that was set off by what it did itself. Here every change of a file is a hint."""
    metered = Metered(story)
    try:
        names = [f"n{number}" for number in range(20)]
        story.write("all.yaml", *[story.file(name) for name in names])
        metered.start()
        eventually(lambda: all_ready(story, names), "all were made")
        eventually(lambda: quiet(metered), "it came to rest")
        before = metered.read()
        assert before.changes == len(names)
        story.write("all.yaml", *[story.file(name, "edited") for name in names])
        eventually(lambda: (metered.read() - before).changes >= len(names), "all were edited")
        eventually(lambda: quiet(metered), "it came to rest")
        work = metered.read() - before
        assert work.changes == len(names)
        assert work.passes <= 3 * len(names)
        assert at_rest(metered)
    finally:
        metered.kill()


def quiet(metered: Metered) -> bool:
    """Whether nothing was looked at for a while."""
    before = metered.read().passes
    time.sleep(0.5)  # that nothing happens can only be waited for
    return metered.read().passes == before
