"""An inventory that lacks something is rebuilt from the marks in the world; and whose marks there are at all.

`Workspace.open` rebuilds where the home asks for it: after `p2 recover`, and where a database was gone. `Recovery` is what
`p2 recover` needs before a workspace can be opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.engine.agent import Agent, Context, Setup
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.recovery import doubt, forget_gone, marks_in_the_world, recover
from controller.engine.stores import Level
from controller.store.home import Home
from controller.store.identity import DERIVED, DOUBTED, LOST, OLDER, REBUILD
from controller.store.secrets import HomeSecrets
from controller.store.stores import OpenStores
from controller.wiring.agents import Agents
from controller.wiring.settings import Settings
from resources.kinds import names
from resources.meta import Key
from resources.plan import Action

if TYPE_CHECKING:
    from controller.store.mending import Mended, Survey

EVENT = "InventoryRebuilt"
# What is said of why.
_WHY = {
    LOST: "the database was gone, so what was suspended or confirmed is to be so again",
    OLDER: "the database is an older copy that was put back, so what it has and nobody declares is held back from deletion, "
    "and what was suspended or confirmed since is to be so again",
    DOUBTED: "",
    DERIVED: "the home is new, and had things before",
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`found` was not recorded; `unanswered` has the systems that could not be asked, with why. `news` is for the user."""

    found: tuple[Key, ...] = ()
    unanswered: Mapping[str, str] | None = None
    news: str = ""


def rebuild(stores: OpenStores, parts: Parts, kinds: Agents) -> Rebuilt:
    """Takes into the inventory what is found by its marks, if that is still to be done. Changes nothing in the world."""
    wanted = stores.database.meta(REBUILD)
    if not wanted:
        return Rebuilt()
    if wanted == OLDER:
        doubt(stores.inventory)
    everybody = wanted in _WHY
    asked = [agent for agent in _every(kinds) if everybody or agent.system in wanted.split(",")]
    marks = marks_in_the_world(asked, parts.context)
    found = recover(stores.inventory, marks.owned, parts.identity.source)
    left = ",".join(sorted(marks.unanswered))
    forget_gone(stores.inventory, kinds.find, parts.context)
    is_news = bool(found or marks.unanswered) if wanted == DERIVED else bool(found) or left != wanted
    news = _news(found, marks.unanswered, _WHY.get(wanted, "")) if is_news else ""
    if news:
        parts.board.record(None, Level.WARNING, EVENT, news)
    stores.database.keep_meta(REBUILD, left)
    return Rebuilt(tuple(found), marks.unanswered, news)


def _news(found: Sequence[Key], unanswered: Mapping[str, str], why: str) -> str:
    things = f"{len(found)} thing{'' if len(found) == 1 else 's'}"
    news = [f"the inventory was rebuilt from the marks in the world: {things} found that it did not have"]
    if why:
        news.append(why)
    news += [f"what {system} has is found when it answers ({why})" for system, why in sorted(unanswered.items())]
    return "; ".join([*news, "nothing is recreated or deleted because of it"])


def _every(kinds: Agents) -> Iterator[Agent[Any, Any]]:
    return (agent for kind in names() if (agent := kinds.find(kind)))


def taken_back(each: Pass) -> Pass:
    """A pass over what can't carry a mark and is as declared: taking it back is a matter of the inventory alone."""
    equal = each.plan.action is Action.ADOPT and not each.plan.changes
    if (
        not equal
        or each.verdict not in (Verdict.WORK, Verdict.SUSPENDED)
        or each.subject is None
        or each.subject.agent.marks
        or each.subject.resource.spec.adopt
    ):
        return each
    return replace(each, verdict=Verdict.READY, plan=replace(each.plan, action=Action.NONE), step=None)


@dataclass(frozen=True, slots=True)
class Whose:
    """How many things of each kind carry the mark of each installation."""

    installations: Mapping[str, Mapping[str, int]]
    unanswered: Mapping[str, str]


class Recovery:
    """The home of the environment, before it can be used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading = Home(settings.home, settings.agents_config, read_only=True)

    def survey(self) -> Survey:
        """What the home says of itself. Raises HomeError for what `p2 recover` does not put right."""
        from controller.store.mending import survey  # a workspace, which only rebuilds, does without

        return survey(self._reading)

    def whose(self) -> Whose:
        """Asks the world, through clients that cannot write."""
        home = self._reading
        secrets = HomeSecrets(home)
        setup = Setup("", home.path, secrets, read_only=True, timeout=self._settings.agent_timeout)
        marks = marks_in_the_world(_every(Agents(setup, home, {})), Context(secrets))
        found: dict[str, dict[str, int]] = {}
        for each in marks.owned:
            of_kind = found.setdefault(each.mark.installation, {})
            of_kind[each.mark.key.kind] = of_kind.get(each.mark.key.kind, 0) + 1
        return Whose(found, marks.unanswered)

    def mend(self, installation: str) -> Mended:
        """Makes the home whole under this id; opening a workspace then rebuilds. Raises HomeError, as while another holds it."""
        from controller.store.mending import mend

        home = Home(self._settings.home, self._settings.agents_config)
        with home.lock("stop it first"):
            return mend(home, installation)


def carrying(whose: Whose, ids: Collection[str]) -> int:
    """How many things carry the mark of one of these installations."""
    return sum(sum(kinds.values()) for installation, kinds in whose.installations.items() if installation in ids)
