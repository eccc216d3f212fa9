"""What went wrong when the engine pulled an image, by its words: wait, or edit something, and what. `pulling.py` asks."""

from __future__ import annotations

from controller.agents.docker.failures import disk_full
from controller.agents.docker.registries.references import Reference
from controller.agents.docker.registries.registries import Registries
from controller.engine.agent import Failure, Retry, Stalled
from resources.notation import HUB

_LIMITED = ("toomanyrequests", "too many requests")
_DENIED = (
    "unauthorized",
    "denied",
    "no basic auth credentials",
    "authentication required",
    "status: 401",
    "status: 403",
)
_ABSENT = ("manifest unknown", "name unknown", "not found", "does not exist", "status: 404")
_OTHER_PLATFORM = ("no matching manifest", "does not match the specified platform")
_UNTRUSTED = ("x509:", "certificate", "tls:")
_NO_TLS = "http response to https client"
_UNREACHABLE = (
    "connection refused",
    "no such host",
    "server misbehaving",
    "i/o timeout",
    "timeout exceeded",
    "connection reset",
    "network is unreachable",
    "no route to host",
    "unexpected http status: 5",
    "temporary failure in name resolution",
    ": eof",
)


def pull_failure(registries: Registries, reference: str, status: int, message: str) -> Failure:
    """`status` is that of the engine's answer, `message` what it says; the registry's own words are among it."""
    repository = Reference.parse(reference).repository
    host, text = repository.host, message.lower().replace(repository.path, "")  # whose name may hold any of these words
    cannot = f"cannot pull the image {reference}: {message}"
    if any(words in text for words in _LIMITED):
        return registries.exceeded(reference)
    if full := disk_full(f"pull the image {reference}", message):
        return full
    if any(words in text for words in _OTHER_PLATFORM):
        return Stalled("PlatformMissing", f"{cannot}; name an image that is there for this machine")
    if _NO_TLS in text:
        return Stalled("RegistryUntrusted", f"{cannot}; {_insecure(host)}")
    if any(words in text for words in _UNTRUSTED) and "denied" not in text:
        return Stalled(
            "RegistryUntrusted", f"{cannot}; {_authority(host)}, or, where nobody can come between, {_insecure(host)}"
        )
    if any(words in text for words in _DENIED):
        return _unauthorized(registries, reference, host)
    if status == 404 or any(words in text for words in _ABSENT):
        return Stalled(
            "ImageNotFound",
            f"cannot find the image {reference}: {message}; correct image, or log in with 'docker login' if it is private",
        )
    if status == 400:
        return Stalled("InvalidImage", f"cannot read the image {reference}: {message}; write it like nginx:1.27")
    if any(words in text for words in _UNREACHABLE):
        where = "" if host == HUB else " there and running, and"
        advice = f"see whether the registry {host} is{where} reachable from the engine"
        return Retry("RegistryUnavailable", f"{cannot}; {advice}")
    return Retry("PullFailed", cannot)


def _unauthorized(registries: Registries, reference: str, host: str) -> Failure:
    from controller.agents.docker.registries.registry import unauthorized

    try:
        return unauthorized(reference, host, registries.credentials(reference))
    except (Retry, Stalled) as unknown:
        return unknown


def _authority(host: str) -> str:
    return f"put the certificate of its authority at /etc/docker/certs.d/{host}/ca.crt"


def _insecure(host: str) -> str:
    return f'add "{host}" to insecure-registries in /etc/docker/daemon.json and reload the engine'
