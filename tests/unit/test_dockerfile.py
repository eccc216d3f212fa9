"""Which images a Dockerfile builds on."""

from __future__ import annotations

import pytest

from controller.agents.docker.dockerfile import bases

STAGES = """\
# syntax=docker/dockerfile:1
ARG VERSION=1.27
ARG BASE=debian:${SUITE:-12}
FROM --platform=$BUILDPLATFORM golang:1.22 AS build
RUN <<EOF
FROM not-an-instruction
EOF
RUN make \\
  # a comment within
  && --mount=type=bind,from=tools:1,target=/t make install
FROM nginx:$VERSION as Web
COPY --from=build /a /b
COPY --from=busybox:1 /a /b
COPY --from=0 /x /y
FROM $BASE AS other
FROM web
"""


@pytest.mark.parametrize(
    ("text", "args", "target", "found"),
    [
        ("FROM a", {}, None, ["a"]),
        ("from a:1 as x\nFROM x", {}, None, ["a:1"]),
        ("FROM scratch\nCOPY a /", {}, None, []),
        ("FROM a\nFROM b", {}, None, ["b"]),
        ("FROM a AS x\nFROM b", {}, "x", ["a"]),
        ("FROM a AS x\nFROM b", {}, "0", ["a"]),
        ("ARG V\nFROM a:$V", {"V": "2"}, None, ["a:2"]),
        ("ARG V=1\nFROM a:${V}", {"V": "2"}, None, ["a:2"]),
        ("ARG V=1\nFROM a:${V}-x", {}, None, ["a:1-x"]),
        ("FROM a:${V:-3}", {}, None, ["a:3"]),
        ("ARG V=1\nFROM a${V:+:yes}", {}, None, ["a:yes"]),
        ("FROM a:$UNKNOWN", {}, None, []),
        ("# escape=`\nFROM `\n  a", {}, None, ["a"]),
        ("FROM a\nRUN cat <<'X' <<Y\nFROM b\nX\nFROM c\nY\nFROM d", {}, None, ["d"]),
        (STAGES, {}, None, ["busybox:1", "golang:1.22", "nginx:1.27", "tools:1"]),
        (STAGES, {"SUITE": "13"}, "other", ["debian:12"]),
        ("", {}, None, []),
        ("nonsense", {}, None, []),
        ("FROM", {}, None, []),
    ],
)
def test_images_of_the_stages_that_are_needed_are_found(
    text: str, args: dict[str, str], target: str | None, found: list[str]
) -> None:
    assert list(bases(text, args, target)) == found
