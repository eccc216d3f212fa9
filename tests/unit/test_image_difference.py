"""What a plan says of an image that Docker Compose has built: it is taken as it is."""

from __future__ import annotations

from controller.agents.docker.image_difference import plan_image
from resources.kinds.image import Image, ImageObserved
from resources.meta import API_VERSION

WEB = Image.model_validate(
    {
        "apiVersion": API_VERSION,
        "kind": "Image",
        "metadata": {"name": "web"},
        "spec": {"image": "web:1", "adopt": True, "build": {"context": "/web"}},
    }
)


def seen(*, composed: bool) -> ImageObserved:
    return ImageObserved(image="web:1", digest="sha256:a", build={}, wantedBuild={"context": "c1"}, composed=composed)


def test_taking_over_what_compose_has_built_says_that_nothing_is_made_anew() -> None:
    assert plan_image(WEB, None, seen(composed=True)).notes == (
        "Docker Compose has built it: it is taken as it is, and built at the next edit",
    )


def test_anything_else_says_what_is_made_anew() -> None:
    rolled_out = ("containers that name web:1 are made anew",)
    assert plan_image(WEB, None, seen(composed=False)).notes == rolled_out
    assert plan_image(WEB, WEB, seen(composed=True)).notes == rolled_out
