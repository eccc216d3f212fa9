"""Images that a tag has come to name: which container is to be made of which, once one of them was given up.

`refused.py` keeps what was given up. A container that was made of a newer image carries the id of the former one as a label,
so the way back is known whatever has happened since, to all containers of that image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine
from controller.agents.docker.failures import explained
from controller.agents.docker.marks import FORMER_IMAGE
from controller.agents.docker.refused import Refused
from controller.engine.agent import Retry, Stalled
from resources.notation import canonical_image


@dataclass(frozen=True, slots=True)
class Update:
    """How a container stands to what its tag names. Ids of images; empty where there is nothing of the kind."""

    to: str = ""  # a newer image, that it is to be made of
    back: str = ""  # the former image, that it is to be made of again: its own was given up
    tag: str = ""  # the one that was given up and has the tag, while the container is of the former one
    given_up: str = ""  # what is said of the one that was given up

    @property
    def current(self) -> bool:
        """Whether the container is of the right image."""
        return not (self.to or self.back)


class Updates:
    def __init__(self, refused: Refused) -> None:
        self._refused = refused

    def given_up(self) -> Mapping[str, Any]:
        """All that is noted of images that were given up: for `of`, which many containers are asked about."""
        return self._refused.all()

    def of(self, reference: str, live: Json, named: Json | None, among: Mapping[str, Any] | None = None) -> Update:
        """`named`: the image that the reference of the spec names now. Where that is none, nothing else can be meant."""
        own, tagged = str(live["Image"]), str(named["Id"]) if named else ""
        if not tagged or canonical_image(str(live["Config"]["Image"])) != canonical_image(reference):
            return Update()
        given_up = self._refused.refused(reference, among)
        former = former_image(live)
        if own in given_up and former and former not in given_up:
            return Update(back=former)
        told = _told(given_up) if own not in given_up else ""
        if tagged in given_up and tagged != own:
            return Update(tag=tagged, given_up=told)
        return Update(to=tagged) if tagged != own else Update(given_up=told)

    def give_up(self, engine: Engine, reference: str, live: Json, named: Json | None, why: str) -> str:
        """Notes that the newer image is no good; see `GoesBack`."""
        own, tagged = str(live["Image"]), str(named["Id"]) if named else ""
        replaced = own == tagged
        former, bad = (former_image(live), own) if replaced else (own, tagged)
        if not former or not bad:
            return "it is not known what it was made of before"
        if former in self._refused.refused(reference):
            return "its former image was given up before"
        with explained(f"look at the image {short(former)}"):
            if engine.read_each([paths.image(former)])[0] is None:
                return f"its former image {short(former)} is not on this machine any more"
        self._refused.refuse(reference, bad, why)
        return ""

    def follow(self, engine: WritableEngine, reference: str, live: Json, named: Json | None, *, anew: bool) -> str:
        """Has the tag name what the container is to be made of. Returns the image that will be its former one.

        `anew`: its spec was edited, or there is a newer image, so what was given up may be tried again.
        """
        if anew:
            self._refused.forget(reference)
        update = self.of(reference, live, named)
        if wanted := update.back or (str(live["Image"]) if update.tag else ""):
            take_back(engine, reference, wanted)
        if update.back:
            return ""
        return str(live["Image"]) if update.to else former_image(live)

    def pulled(self, engine: WritableEngine, reference: str, pull: Callable[[], None]) -> None:
        """Pulls; a registry that still has what was given up does not bring it back."""
        before = image_id(engine, reference)
        pull()
        given_up = self._refused.refused(reference)
        if before and before not in given_up and image_id(engine, reference) in given_up:
            take_back(engine, reference, before)


def take_back(engine: WritableEngine, reference: str, former: str) -> None:
    """Gives the tag to the former image again."""
    try:
        engine.tag(former, reference)
    except EngineError as error:
        message = f"cannot give {reference} back to its former image {short(former)}: {error.message}"
        if error.status == 404:
            raise Stalled("ImageNotFound", f"{message}; bring a newer one, or edit it") from None
        raise Retry("TagFailed", message) from None


def former_image(live: Json) -> str:
    """The id of the image that its predecessor was made of, if it was another one."""
    return str((live["Config"]["Labels"] or {}).get(FORMER_IMAGE, ""))


def image_id(engine: Engine, reference: str) -> str:
    found = engine.read_each([paths.image(reference)])[0]
    return str(found["Id"]) if found else ""


def short(image: str) -> str:
    return image.removeprefix("sha256:")[:12]


def _told(given_up: dict[str, str]) -> str:
    return "; ".join(f"the image {short(image)} was given up: {why}" for image, why in list(given_up.items())[-1:])
