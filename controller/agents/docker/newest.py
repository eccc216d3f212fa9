"""What the registries have for images whose updatePolicy follows them: asked once an interval, and never waited for long.

A registry that does not answer must not keep anybody from looking at containers. So each question has a thread of its own, and
the last answer counts until there is another; only where there was none yet, a look waits a little.

A mirror may be late, and have an image that was brought before the one that is here. So where a mirror has another one than was
brought last, the registry itself is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING

from controller.engine.agent import Failure, Retry, Stalled
from resources.docker.versions import Range
from resources.kinds.image import Image, ImageSpec, UpdatePolicy
from resources.meta import seconds

if TYPE_CHECKING:
    from controller.agents.docker.brought import Shelf
    from controller.agents.docker.registries import Registries

PATIENCE = 5.0  # seconds that a look waits for the first answer
SOON = 1.0  # seconds until it is worth a look whether an answer has come
AGAIN = 60.0  # seconds until a question that failed is asked again, at most


@dataclass(frozen=True, slots=True)
class Newest:
    """`reference` is what to pull, `digest` what that is just now."""

    reference: str
    digest: str


Answer = Newest | Failure
_Question = tuple[str, str | None]


@dataclass(slots=True)
class _Asked:
    answer: Answer | None = None
    at: float = 0.0
    under_way: bool = False
    answered: Flag = field(default_factory=Flag)


class Outlook:
    """Thread-safe."""

    def __init__(self, registries: Registries, shelf: Shelf, clock: Callable[[], float] = time.monotonic) -> None:
        self._registries, self._shelf, self._clock = registries, shelf, clock
        self._asked: dict[_Question, _Asked] = {}
        self._lock = Lock()

    def ask(self, images: Sequence[Image]) -> None:
        """Asks what is due; waits, at most a little, for what was never answered."""
        give_up = self._clock() + PATIENCE
        following = [image.spec for image in images if image.spec.updatePolicy is not UpdatePolicy.PINNED]
        due = [asked for spec in following if (asked := self._begun(spec)).answer is None]
        for asked in due:
            asked.answered.wait(max(0.0, give_up - self._clock()))

    def known(self, spec: ImageSpec) -> Answer | None:
        """The last answer, which may be that there is none to be had; None as long as there was none."""
        asked = self._asked.get(_question(spec))
        return asked.answer if asked else None

    def pending(self, spec: ImageSpec) -> bool:
        """Whether an answer is on its way."""
        asked = self._asked.get(_question(spec))
        return asked is not None and asked.under_way

    def learn(self, spec: ImageSpec, digest: str) -> None:
        """What was pulled just now is the newest there is."""
        with self._lock:
            asked = self._asked.get(_question(spec))
            if asked and isinstance(asked.answer, Newest):
                asked.answer = Newest(asked.answer.reference, digest)

    def _begun(self, spec: ImageSpec) -> _Asked:
        with self._lock:
            asked = self._asked.setdefault(_question(spec), _Asked())
            good_for = seconds(spec.interval)
            if isinstance(asked.answer, Failure):
                good_for = min(good_for, asked.answer.after or AGAIN if isinstance(asked.answer, Retry) else AGAIN)
            fresh = asked.answer is not None and self._clock() - asked.at < good_for
            if not (fresh or asked.under_way):
                asked.under_way = True
                Thread(target=self._find_out, args=(spec, asked), name="docker-newest", daemon=True).start()
            return asked

    def _find_out(self, spec: ImageSpec, asked: _Asked) -> None:
        try:
            answer: Answer = self._believed(spec)
        except (Retry, Stalled) as failure:
            answer = failure
        except Exception as mistake:  # or nobody would ever be told
            answer = Retry("RegistryUnavailable", f"cannot ask for newer images: {type(mistake).__name__}: {mistake}")
        if isinstance(answer, Newest):
            self._registries.settle(answer.reference, answer.digest)
        with self._lock:
            asked.answer, asked.at, asked.under_way = answer, self._clock(), False
        asked.answered.set()

    def _believed(self, spec: ImageSpec) -> Newest:
        found = self._answer(spec)
        brought = [each.digest for each in self._shelf.of(spec.image)]
        if not brought or found.digest == brought[-1] or not self._registries.mirrored(found.reference):
            return found
        try:
            found = self._answer(spec, itself=True)
        except (Retry, Stalled):
            if found.digest in brought:  # it was replaced; that it is to come back the mirror alone can't say
                raise
        return found

    def _answer(self, spec: ImageSpec, *, itself: bool = False) -> Newest:
        """`itself`: without the mirrors."""
        reference, good_for = pulled_from(spec), seconds(spec.interval)
        if spec.range is not None:
            tag = Range(spec.range).highest(self._registries.tags(reference, good_for, itself=itself))
            if tag is None:
                raise Stalled(
                    "NoVersion",
                    f"cannot find a version within {spec.range} among the tags of {reference}; correct range",
                )
            reference = f"{reference}:{tag}"
        return Newest(reference, self._registries.digest(reference, good_for, itself=itself))


def pulled_from(spec: ImageSpec) -> str:
    """What is pulled: source or else image; of a range the repository alone."""
    found = spec.source or spec.image
    if spec.range is None or spec.source:
        return found
    head, slash, last = found.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _question(spec: ImageSpec) -> _Question:
    return pulled_from(spec), spec.range
