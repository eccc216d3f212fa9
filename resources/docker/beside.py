"""What updates can not have: a port of its own with `startFirst` or several in a set, `onChange` on another machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from resources.docker.parts import State, Strategy
from resources.notation import ports
from resources.rules import Rule

if TYPE_CHECKING:
    from resources.kinds.container import ContainerSpec

# A published port that several can have, for each takes one that is free.
_IP = r"(\[[0-9a-fA-F:.]+\]|[0-9.]+)"
FREE_PORT = rf"^([^:]*|{_IP}::[^:]*|({_IP}:)?[0-9]+-[0-9]+:[0-9]+(/[a-zA-Z]+)?)$"

_HOLDS_PORT = "cannot start a container first that has a fixed host port: two can't hold it; use strategy: recreate"
_HOLDS_ADDRESS = "cannot start a container first that has a fixed address: two can't hold it; use strategy: recreate"
_ON_THE_HOST = "cannot start a container first on the machine's own network: use strategy: recreate"
_COMPLETES = "cannot start a container first that is to complete: it would run beside itself; use strategy: recreate"
_UNLESS = "!has(self.strategy) || self.strategy != 'startFirst' || "


def shared_ports(at: str) -> str:
    """In CEL, that no port of the container's spec `at` is fixed."""
    return f"!has({at}.ports) || {at}.ports.all(each, each.matches(r'{FREE_PORT}'))"


def no_address(at: str) -> str:
    """In CEL, that the container's spec `at` has no fixed address."""
    given = " || ".join(f"has(each.{name})" for name in ("ipv4Address", "ipv6Address", "macAddress"))
    return f"!has({at}.macAddress) && (!has({at}.networks) || !{at}.networks.exists(each, {given}))"


_ELSEWHERE = "cannot look at the content of files on another engine's machine: leave out onChange, or engine"
RULES = (
    Rule("!has(self.engine) || !has(self.volumes) || !self.volumes.exists(each, has(each.onChange))", _ELSEWHERE),
    Rule(f"{_UNLESS}{shared_ports('self')}", _HOLDS_PORT),
    Rule(f"{_UNLESS}({no_address('self')})", _HOLDS_ADDRESS),
    Rule(f"{_UNLESS}!has(self.networks) || self.networks.all(each, each.name != 'host')", _ON_THE_HOST),
    Rule(f"{_UNLESS}self.state != 'completed'", _COMPLETES),
)


def has_fixed_port(spec: ContainerSpec) -> bool:
    return any(port.fixed for text in spec.ports or () for port in ports(text))


def has_fixed_address(spec: ContainerSpec) -> bool:
    inner = (
        address for each in spec.networks or () for address in (each.ipv4Address, each.ipv6Address, each.macAddress)
    )
    return any((spec.macAddress, *inner))


def contradictions(spec: ContainerSpec) -> Iterator[str]:
    """What can't be had of a container's updates, and why."""
    if spec.engine is not None and any(mount.onChange for mount in spec.volumes or ()):
        yield _ELSEWHERE
    if spec.strategy is not Strategy.START_FIRST:
        return
    if has_fixed_port(spec):
        yield _HOLDS_PORT
    if has_fixed_address(spec):
        yield _HOLDS_ADDRESS
    if any(each.name == "host" for each in spec.networks or ()):
        yield _ON_THE_HOST
    if spec.state is State.COMPLETED:
        yield _COMPLETES
