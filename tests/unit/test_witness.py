"""What the audit says of the loop's actions: who, why, which fields, how it ended; and never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import resources.kinds
from controller.engine.agent import Context, Done, Retry, Step
from controller.engine.audit import AuditEntry, AuditQuery, Ending
from controller.engine.requests import Cause, Request, Requests
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from controller.store.stores import open_stores
from controller.surfaces.logs import ForMachines
from resources.meta import Key, SecretRef
from tests.unit.world import Gadget, GadgetAgent, Loop, Thing, gadget

ADA = Request("ada", "p2 apply state")
SECRET = "tr0ub4dor&3"


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"Gadget": Gadget}
    monkeypatch.setattr(
        "controller.engine.ledger.model_of", lambda kind: known.get(kind) or resources.kinds.model_of(kind)
    )


def asked_by(loop: Loop, request: Request) -> Loop:
    loop.parts = replace(loop.parts, requests=Requests(request))
    return loop


@pytest.fixture
def loop() -> Loop:
    return asked_by(Loop(), ADA)


def audited(loop: Loop) -> list[AuditEntry]:
    return list(loop.stores.audit.entries(AuditQuery()))


def told(loop: Loop) -> list[tuple[str, str, str, str]]:
    return [(entry.action, entry.key.name if entry.key else "", entry.cause, entry.outcome) for entry in audited(loop)]


def test_edit_drift_and_removal_are_told_apart(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.apply(gadget("a", color="blue"))
    loop.agent.world["a"].color = "pink"
    loop.converge()
    loop.apply()
    assert told(loop) == [
        ("create", "a", "edit", "done"),
        ("update", "a", "edit", "done"),
        ("update", "a", "drift", "done"),
        ("delete", "a", "edit", "done"),
    ]
    assert {(entry.user, entry.command) for entry in audited(loop)} == {("ada", "p2 apply state")}


def test_fields_are_named_and_their_values_are_not(loop: Loop) -> None:
    loop.apply(gadget("a", color="red", size=1))
    loop.apply(gadget("a", color="ultraviolet", size=2))
    update = audited(loop)[-1]
    assert (sorted(update.fields), update.generation, update.file) == (["color", "size"], 2, "/desired/all.yaml")
    assert "ultraviolet" not in repr(update)


def test_looking_leaves_no_trace(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    before = audited(loop)
    loop.converge()
    assert audited(loop) == before


def test_what_the_controller_does_by_itself_is_told_of_it() -> None:
    loop = Loop()
    loop.apply(gadget("a", color="red"))
    assert [entry.user for entry in audited(loop)] == ["controller"]


def test_a_command_that_is_itself_the_reason_is_told_as_such() -> None:
    loop = asked_by(Loop(), Request("ada", "p2 rollback", Cause.ROLLBACK))
    loop.apply(gadget("a", color="red"))
    assert [entry.cause for entry in audited(loop)] == [Cause.ROLLBACK]


def test_what_is_done_for_somebody_who_asked_the_controller_is_told_of_them() -> None:
    loop = Loop()
    with loop.parts.requests.lent(ADA, [Key("Gadget", "default", "a")]):
        loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    assert {entry.key.name: entry.user for entry in audited(loop) if entry.key} == {"a": "ada", "b": "controller"}


def test_a_refusal_is_told_with_its_reason(loop: Loop) -> None:
    loop.agent.refused["a"] = "cannot make it: red is out of stock"
    loop.apply(gadget("a", color="red"))
    [entry] = audited(loop)
    assert (entry.outcome, entry.reason, entry.message) == (
        Ending.FAILED,
        "Refused",
        "cannot make it: red is out of stock",
    )


class Died(BaseException):
    """The end of the process, as the loop sees it."""


class Mortal(GadgetAgent):
    def create(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        super().create(step, ctx)
        raise Died


def test_an_action_that_a_crash_cut_short_is_found_at_the_next_start(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        asked_by(loop := Loop(Mortal(), stores), ADA).apply(gadget("a", color="red"), timeout=1.0)
        assert "a" in loop.agent.world
        assert audited(loop) == []
    with open_stores(Home(home)) as stores:
        stores.audit.recover(2e9)
        again = Loop(GadgetAgent(world=loop.agent.world), stores)
        again.apply(gadget("a", color="red"))
        [entry] = audited(again)
    assert (entry.action, entry.outcome, entry.user) == ("create", Ending.INTERRUPTED, "ada")


class Blabbing(GadgetAgent):
    """Quotes what it was given, as engines do."""

    ref = SecretRef(env="GADGET_PASSWORD")

    def create(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        value = ctx.secrets.reveal(self.ref, "default")
        ctx.progress(step.key, 0.5, f"sending {value}")
        if step.key.name == "fails":
            raise Retry("ApplyFailed", f'cannot make it: bad option "{value}" {value!r}')
        return replace(super().create(step, ctx), message=f"made with {value}")


@pytest.mark.parametrize("secret", [SECRET, f"first line {SECRET}\nsecond line"], ids=["one line", "two lines"])
def test_a_secret_that_an_agent_quotes_gets_nowhere(home: Path, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("GADGET_PASSWORD", secret)
    progress: list[str] = []
    with open_stores(Home(home)) as stores:
        loop = asked_by(Loop(Blabbing(), stores), ADA)
        secrets = HomeSecrets(Home(home))
        context = Context(secrets, lambda key, fraction, message: progress.append(message))
        loop.parts = replace(loop.parts, context=context)
        loop.apply(gadget("fails", color="red"), gadget("works", color="red"), timeout=1.0)
        messages = {entry.key.name: entry.message for entry in audited(loop) if entry.key}
        assert messages["works"] == "made with (secret)"
        assert messages["fails"].startswith('cannot make it: bad option "(secret)"')
        assert "(secret)" in loop.message("fails")
        assert set(progress) == {"sending (secret)"}
    assert not quoted_in(home, SECRET)


class Careless(GadgetAgent):
    def create(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        raise RuntimeError(f"cannot log in with {ctx.secrets.reveal(Blabbing.ref, 'default')}")


def test_a_secret_in_the_traceback_of_a_mistake_is_not_logged(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GADGET_PASSWORD", SECRET)
    loop = asked_by(Loop(Careless()), ADA)
    loop.parts = replace(loop.parts, context=Context(HomeSecrets(Home(home))))
    loop.apply(gadget("a", color="red"), timeout=1.0)
    formatter = ForMachines()
    lines = [formatter.format(entry) for entry in caplog.records]
    assert any("cannot log in with (secret)" in line for line in lines), lines
    assert SECRET not in "".join(lines)


def quoted_in(home: Path, secret: str) -> Mapping[str, bool]:
    return {str(path): True for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()}
