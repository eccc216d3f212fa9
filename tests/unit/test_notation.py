"""Quantities that are written in several ways have one canonical form."""

from __future__ import annotations

import pytest

from resources.notation import (
    canonical_capability,
    canonical_device,
    canonical_duration,
    canonical_image,
    canonical_ports,
    canonical_security_option,
    canonical_signal,
    canonical_size,
    valid_image,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("512m", "512m"),
        ("0.5g", "512m"),
        ("1024m", "1g"),
        ("1Gi", "1g"),
        ("1GiB", "1g"),
        ("1GB", "1g"),
        ("1T", "1t"),
        ("1536k", "1536k"),
        ("1000", "1000b"),
        ("2048b", "2k"),
        ("0", "0b"),
    ],
)
def test_sizes(text: str, canonical: str) -> None:
    assert canonical_size(text) == canonical
    assert canonical_size(canonical) == canonical


@pytest.mark.parametrize("text", ["", "m", "-1m", "1x", "1 m b", "1,5g", "unlimited"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r'cannot read the size ".*": write it like 512m'):
        canonical_size(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("60s", "1m"), ("90s", "1m30s"), ("1.5h", "1h30m"), ("1500ms", "1s500ms"), ("0s", "0s"), ("61m", "1h1m")],
)
def test_durations(text: str, canonical: str) -> None:
    assert canonical_duration(text) == canonical
    assert canonical_duration(canonical) == canonical


@pytest.mark.parametrize(
    ("texts", "canonical"),
    [
        (["8080:80"], ["8080:80"]),
        (["8080:80/tcp", "8080:80"], ["8080:80"]),
        (["53:53/udp", "53:53/TCP"], ["53:53", "53:53/udp"]),
        (["8001-8002:81-82"], ["8001:81", "8002:82"]),
        (["[::1]:80:80", "127.0.0.1:80:80"], ["127.0.0.1:80:80", "[::1]:80:80"]),
        (["9000:90", "8000:80"], ["8000:80", "9000:90"]),
        (["80/tcp", "53/udp", "90-91"], ["53/udp", "80", "90", "91"]),
        (["127.0.0.1::80", "[::1]::81-82/udp"], ["127.0.0.1::80", "[::1]::81/udp", "[::1]::82/udp"]),
        (["8000-8010:80", "8000-8000:81"], ["8000-8010:80", "8000:81"]),
    ],
)
def test_ports(texts: list[str], canonical: list[str]) -> None:
    assert canonical_ports(texts) == tuple(canonical)
    assert canonical_ports(canonical) == tuple(canonical)


@pytest.mark.parametrize(
    "text",
    [
        ":80",
        "80:",
        "8000:80-81",
        "90-80",
        "90-80:1",
        "127.0.0.1:80",
        "0:80",
        "80:65536",
        "90-80:90-80",
        "80:80/icmp",
        "::1:80:80",
        "localhost:80:80",
        "",
    ],
)
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="cannot "):
        canonical_ports([text])


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/dev/null", "/dev/null:/dev/null:rwm"),
        ("/dev/null:r", "/dev/null:/dev/null:r"),
        ("/dev/null:/dev/void", "/dev/null:/dev/void:rwm"),
        ("/dev/null:/dev/void:rw", "/dev/null:/dev/void:rw"),
    ],
)
def test_devices(text: str, canonical: str) -> None:
    assert canonical_device(text) == canonical
    assert canonical_device(canonical) == canonical


@pytest.mark.parametrize("text", ["null", "/dev/null:void", "/dev/a:/dev/b:/dev/c", ""])
def test_what_is_no_device(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the device"):
        canonical_device(text)


def test_small_words() -> None:
    assert [canonical_signal(text) for text in ("TERM", "sigterm", "15", "99")] == [
        "SIGTERM",
        "SIGTERM",
        "SIGTERM",
        "99",
    ]
    assert [canonical_capability(text) for text in ("net_admin", "CAP_NET_ADMIN")] == ["NET_ADMIN", "NET_ADMIN"]
    assert canonical_security_option("no-new-privileges:true") == "no-new-privileges"
    assert canonical_security_option("no-new-privileges=false") == "no-new-privileges=false"
    assert canonical_security_option("label:type:svirt") == "label=type:svirt"
    assert canonical_security_option("label=type:svirt") == "label=type:svirt"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/nginx", "docker.io/bitnami/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1.27@{DIGEST}", f"docker.io/library/nginx:1.27@{DIGEST}"),
    ],
)
def test_images(text: str, canonical: str) -> None:
    assert valid_image(text) == text
    assert canonical_image(text) == canonical
    assert canonical_image(canonical) == canonical


@pytest.mark.parametrize("text", ["", "a b", "Nginx", "nginx:", "-", "nginx@sha256:12", "a//b", "ghcr.io/A/b", ":1"])
def test_what_is_no_image(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the image"):
        valid_image(text)
