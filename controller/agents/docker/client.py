"""The Docker engine: the only module that imports its SDK. Made by `connect`, used by the agents of this folder.

`Engine` can only read, and does so over a plain socket (`wire.py`); a dry run is given that and nothing else.
`WritableEngine` changes things the same way (`writing.py`), and pulls and builds through the SDK. Methods raise EngineError
for what the engine answers, and Retry for what keeps it from answering; the agents say what an EngineError means for the user.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event as Flag
from threading import local
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from controller.agents.docker import paths
from controller.agents.docker.ahead import Ahead
from controller.agents.docker.attaching import attached, upgraded
from controller.agents.docker.connecting import OnDemand, own_place
from controller.agents.docker.standing import digests
from controller.agents.docker.unreached import cause, unreachable
from controller.agents.docker.wire import Address, Answer, RefusedStream, Unreached, Wire
from controller.agents.docker.writing import JSON, TAR, Unanswered, WritableWire
from controller.engine.agent import Agent, AgentHealth, Retry, Setup
from resources.conditions import Reason

if TYPE_CHECKING:
    from docker import APIClient

    from controller.agents.docker.registries.registries import Registries

# JSON objects as the engine describes its things: https://docs.docker.com/reference/api/engine/version/v1.41/
Json = dict[str, Any]

_WANTS_TLS = b"HTTP request to an HTTPS server"  # what is said where TLS is spoken, by who was spoken to without


class EngineError(Exception):
    """The engine refused. `status` is that of HTTP: 404 no such thing, 409 a conflict, 400 nonsense."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


# Fields of agents/docker.yaml.
SETTINGS = frozenset({"engine", "engines", "host", "registries", "tls"})


def connect(setup: Setup) -> Engine:
    """The agent's own engine: `engine` in agents/docker.yaml, or DOCKER_HOST, or that of this machine.

    Unable to write when `setup.read_only`, and so are those of `engines`, which it has in `named`. Raises ValueError for
    settings that can't be used.
    """
    registries = OnDemand(setup)
    named: dict[str, Engine] = {}
    if found := setup.config.get("engines"):
        from controller.agents.docker.engine_settings import named_engines

        others = replace(setup, ahead=None)
        for name, place in named_engines(found).items():
            named[name] = _made(place.host, place.address, others, registries, {})
    host, address = own_place(setup)
    return _made(host, address, setup, registries, named)


def _made(host: str, address: Address, setup: Setup, registries: OnDemand, named: Mapping[str, Engine]) -> Engine:
    engine = Engine if setup.read_only else WritableEngine
    return engine(host, address, setup, registries, named)


def assemble(agent: type[Agent[Any, Any]], client: Engine, setup: Setup) -> Agent[Any, Any]:
    """The agent of a kind, over all engines that resources may name. Wiring makes it so."""
    from controller.agents.docker.per_engine import per_engine

    return per_engine(agent, client, setup)


class Engine:
    """Reads. Nothing is sent before the first question; thread-safe. `named` has the engines that specs name."""

    def __init__(
        self, host: str, address: Address, setup: Setup, registries: OnDemand, named: Mapping[str, Engine]
    ) -> None:
        self.host, self.address = host, address
        self.named = named
        self._registries = registries
        self._timeout = setup.timeout
        self._wire = Wire(address, setup.timeout)
        self._ahead = setup.ahead or Ahead()
        self._version: str | None = None  # of the engine's API, once it has said so

    @property
    def registries(self) -> Registries:
        """One for all engines of this process: so that each registry is asked once, and left alone by all."""
        return self._registries.get()

    @property
    def api(self) -> tuple[int, int]:
        """The version of the engine's API."""
        version = self._version or str(self.read(paths.VERSION)["ApiVersion"])
        major, _, minor = version.partition(".")
        return int(major), int(minor)

    def read(self, path: str) -> Any:
        """What the engine says at `path`, one of `paths`."""
        return _content(self._answers([path])[0])

    def read_each(self, wanted: Sequence[str]) -> list[Json | None]:
        """What it says at each of these paths; None where there is no such thing. Raises EngineError for any other refusal."""
        answers = self.try_each(wanted)
        if refused := next((answer for answer in answers if isinstance(answer, EngineError)), None):
            raise refused
        return [None if isinstance(answer, EngineError) else answer for answer in answers]

    def try_each(self, wanted: Sequence[str]) -> list[Json | EngineError | None]:
        """As `read_each`, but what is refused is refused for itself alone."""
        return [understood(answer) for answer in self._answers(wanted)]

    def ask(self, wanted: Sequence[str]) -> list[Answer]:
        """What it says at each of these paths, as it came: `understood` has what it means."""
        return self._answers(wanted)

    def is_same_as(self, other: Engine) -> bool:
        """Whether both are one, by two names. Engines on copies of one machine may be taken for one, too."""
        ours, theirs = self.read(paths.INFO), other.read(paths.INFO)
        return all(ours.get(field) == theirs.get(field) for field in ("ID", "Name", "DockerRootDir"))

    def content(self, path: str) -> bytes:
        """What it says at `path`, where that is no JSON. Raises EngineError."""
        answer = self._answers([path])[0]
        if answer.status >= 400:
            raise EngineError(answer.status, answer.message)
        return answer.body

    def seen(self) -> Json | None:
        """What a cold look has seen, for `standing.same`; None where it can't be told."""
        noted = self._ahead.noted()
        if noted is None or self.named or (self._registries.made and self.registries.asked):
            return None
        return {"host": self.host, "answers": digests(noted)}

    def file(self, container: str, path: str) -> bytes | None:
        """What a container has at `path`, as a tar archive; None where there is nothing that can be read."""
        answer = self._answers([paths.archive(container, path)])[0]
        return answer.body if answer.status < 400 else None

    def follow(self, path: str, stop: Flag) -> Iterator[Json | None]:
        """The objects of an answer without end; the first one is None and says that it has begun."""
        with self._reached():
            for line in self._wire.follow(path, stop):
                yield json.loads(line) if line else None

    def pour(self, path: str, stop: Flag) -> Iterator[bytes]:
        """The content of an answer as it comes, until it ends or `stop` is set. Raises EngineError."""
        with self._reached():
            try:
                yield from self._wire.pour(path, stop)
            except RefusedStream as refused:
                raise EngineError(refused.answer.status, refused.answer.message) from None

    def _answers(self, wanted: Sequence[str]) -> list[Answer]:
        known = self._ahead.take(wanted)
        with self._reached():
            asked = iter(self._wire.read_all([path for path in wanted if path not in known]))
        answers = [known[path] if path in known else next(asked) for path in wanted]
        if any(answer.status == 400 and _WANTS_TLS in answer.body for answer in answers):
            raise unreachable(self.host, Unreached("it speaks TLS only", "give tls for it in agents/docker.yaml"))
        self._version = next((answer.version for answer in answers if answer.version), self._version)
        self._ahead.note(wanted, answers)
        return answers

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unreachable(self.host, cause(error)) from error


class WritableEngine(Engine):
    """Reads and writes. Pulls and builds go through the SDK: each thread has a client of its own, for those are not shared."""

    _wire: WritableWire

    def __init__(
        self, host: str, address: Address, setup: Setup, registries: OnDemand, named: Mapping[str, Engine]
    ) -> None:
        super().__init__(host, address, setup, registries, named)
        self._wire = WritableWire(address, setup.timeout)
        self._local = local()

    def create_container(self, name: str, config: Json, platform: str | None = None) -> str:
        """Returns the id. EngineError 404: the image is not here, or not for that platform; 409: the name is taken."""
        return str(self._change("POST", paths.creation("containers", name=name, platform=platform), config)["Id"])

    def start(self, container: str) -> None:
        self._change("POST", paths.change(container, "start"))

    def place(self, container: str, archive: bytes) -> None:
        """Unpacks a tar archive at the root of a container."""
        self._send("PUT", paths.archive(container, "/"), archive, TAR)

    def stop(self, container: str, grace: int) -> None:
        """Asks it to stop, and kills it after `grace` seconds."""
        self._change("POST", paths.change(container, "stop", t=grace), patience=grace)

    def restart(self, container: str, grace: int) -> None:
        """Stops it within `grace` seconds, and starts it. Also starts one that does not run."""
        self._change("POST", paths.change(container, "restart", t=grace), patience=grace)

    def signal(self, container: str, name: str) -> None:
        """Sends a signal to its first process. EngineError 409: it does not run."""
        self._change("POST", paths.change(container, "kill", signal=name))

    def create_exec(self, container: str, config: Json) -> str:
        """Prepares a program within a container, in the words of the API; returns its id."""
        return str(self._change("POST", paths.change(container, "exec"), config)["Id"])

    def begin_exec(self, program: str, *, terminal: bool) -> tuple[socket.socket, bytes]:
        """Starts it. Returns the connection to its streams, and what has come of them already."""

        with self._reached():
            try:
                return attached(self.address, self._timeout, program, terminal=terminal)
            except RefusedStream as refused:
                raise EngineError(refused.answer.status, refused.answer.message) from None

    def resize_exec(self, program: str, columns: int, lines: int) -> None:
        self._change("POST", paths.resizing(program, columns, lines))

    def exec_ended(self, program: str) -> int | None:
        """Its exit code; None while it runs."""
        code = self.read(paths.program(program))["ExitCode"]
        return None if code is None else int(code)

    def unpause(self, container: str) -> None:
        self._change("POST", paths.change(container, "unpause"))

    def rename(self, container: str, name: str) -> None:
        self._change("POST", paths.change(container, "rename", name=name))

    def update_container(self, container: str, settings: Json) -> None:
        """Changes limits and restart policy, named as in the API."""
        self._change("POST", paths.change(container, "update"), settings)

    def remove_container(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """`force` kills it first; `volumes` removes the anonymous volumes that were made with it."""
        self._change("DELETE", paths.removal(container, v=int(volumes), force=int(force)))

    def connect_network(self, network: str, container: str, endpoint: Json) -> None:
        """`endpoint`: the container's place in the network, in the words of the API."""
        wanted = {"Container": container, "EndpointConfig": endpoint}
        self._change("POST", paths.network(network, "connect"), wanted)

    def disconnect_network(self, network: str, container: str) -> None:
        self._change("POST", paths.network(network, "disconnect"), {"Container": container, "Force": True})

    def create_network(self, name: str, config: Json) -> str:
        """Returns the id. EngineError 409: the name is taken."""
        wanted = {"Name": name, "CheckDuplicate": True, **config}
        return str(self._change("POST", paths.creation("networks"), wanted)["Id"])

    def remove_network(self, network: str) -> None:
        self._change("DELETE", paths.network(network))

    def create_volume(self, name: str, config: Json) -> None:
        """Leaves a volume of this name and driver that is there already as it is."""
        self._change("POST", paths.creation("volumes"), {"Name": name, **config})

    def remove_volume(self, name: str) -> None:
        self._change("DELETE", paths.volume(name))

    def tag(self, image: str, name: str) -> None:
        """Gives an image one more name; whatever had that name loses it."""
        self._change("POST", paths.tagging(image, name))

    def remove_image(self, image: str) -> None:
        """By an id, or by one of its names. EngineError 409: a container uses it, or it has more names."""
        self._change("DELETE", paths.naming(image))

    def build(self, parameters: Sequence[tuple[str, str]], context: Iterable[bytes], header: str) -> Iterator[Json]:
        """Builds from a tar; yields the engine's messages. It waits as long as a step is silent: `cancel_build` ends that.

        `parameters`: as in the API; `header`: from `Registries.build_header`.
        """
        with self._sdk() as sdk:
            answer = sdk.post(
                f"{sdk.base_url}/v{sdk.api_version}/build",
                params=parameters,
                data=context,
                headers={"Content-Type": "application/x-tar", **({"X-Registry-Config": header} if header else {})},
                stream=True,
                timeout=(self._timeout, None),
            )
            yield from _messages(answer)

    def cancel_build(self, identity: str) -> None:
        """Ends the build that was given this `buildid`."""
        self._send("POST", paths.cancelling(identity))

    def open_session(self, headers: Mapping[str, str]) -> tuple[socket.socket, bytes]:
        """A connection on which the engine asks us: see `session.py`. Returns it, and what has come on it already."""
        with self._reached():
            try:
                return upgraded(self.address, self._timeout, "/session", {**headers, "Upgrade": "h2c"})
            except RefusedStream as refused:
                raise EngineError(refused.answer.status, refused.answer.message) from None

    def pull(self, reference: str, platform: str | None = None) -> Iterator[Json]:
        """Pulls an image, by way of a mirror where one is configured; yields the engine's messages about it.

        Raises Retry RateLimited without asking while its registry is to be left alone.
        """
        from controller.agents.docker.registries.mirrors import pull

        self.registries.respect(reference)
        yield from pull(self, reference, platform)

    def pull_from_registry(self, reference: str, platform: str | None = None) -> Iterator[Json]:
        """Pulls it from where its name says, with the credentials that `registries` knows.

        Unlike the SDK's `pull` it does not wait for ever: the time limit holds between two messages.
        """
        with self._sdk() as sdk:
            from docker.utils import parse_repository_tag

            repository, tag = parse_repository_tag(reference)
            header = self.registries.header(reference)
            answer = sdk.post(
                f"{sdk.base_url}/v{sdk.api_version}/images/create",
                params={
                    "fromImage": repository,
                    "tag": tag or "latest",
                    **({"platform": platform} if platform else {}),
                },
                headers={"X-Registry-Auth": header} if header else {},
                stream=True,
                timeout=self._timeout,
            )
            yield from _messages(answer)

    def _change(self, method: str, path: str, body: Mapping[str, Any] | None = None, patience: float = 0.0) -> Any:
        """What the engine says of a change; what `body` leaves None is left to the engine. `patience`: see `_send`."""
        wanted = {name: value for name, value in (body or {}).items() if value is not None}
        content = json.dumps(wanted).encode() if wanted else b""
        answered = self._send(method, path, content, patience=patience)
        return from_json(answered) if answered else None

    def _send(self, method: str, path: str, content: bytes = b"", kind: str = JSON, patience: float = 0.0) -> bytes:
        """It may take the engine `patience` seconds longer than a request does otherwise."""
        self._ahead.forget()
        try:
            with self._reached():
                answer = self._wire.change(method, path, content, kind, patience)
        except Unanswered:
            raise self._impatient() from None
        if answer.status >= 400:
            raise EngineError(answer.status, answer.message)
        return answer.body

    def _impatient(self) -> Retry:
        return Retry(Reason.TIMEOUT, f"cannot wait any longer for the Docker engine at {self.host}")

    @contextmanager
    def _sdk(self) -> Iterator[APIClient]:
        """This thread's SDK client. What it raises comes out as EngineError or Retry."""
        from docker.errors import APIError, DockerException
        from requests.exceptions import ConnectionError, ReadTimeout, RequestException

        self._ahead.forget()
        try:
            if not hasattr(self._local, "client"):
                self._local.client = self._made_sdk()
            yield self._local.client
        except APIError as error:
            raise EngineError(error.status_code or 500, str(error.explanation or error)) from None
        except ReadTimeout:
            raise self._impatient() from None
        except (ConnectionError, RequestException, DockerException) as error:
            raise unreachable(self.host, cause(error)) from error

    def _made_sdk(self) -> APIClient:
        """To engines elsewhere over connections of our own, for which the engine's version of its API must be known."""
        from docker import APIClient

        if not self.address.is_elsewhere:
            return APIClient(self.host, self._version, timeout=int(self._timeout))
        from controller.agents.docker.transport import client_over

        if self._version is None:
            self.read(paths.VERSION)
        return client_over(self.address, self._version or "auto", self._timeout)


def _messages(answer: Any) -> Iterator[Json]:
    with answer:
        if answer.status_code >= 400:
            raise EngineError(answer.status_code, Answer(answer.status_code, answer.content).message)
        for line in answer.iter_lines():
            if line:
                yield json.loads(line)


def writable(engine: Engine) -> WritableEngine:
    """Raises RuntimeError for an engine that was made read-only: nothing that changes it may be reached in a dry run."""
    if not isinstance(engine, WritableEngine):
        raise RuntimeError("cannot change the Docker engine: this client is read-only")
    return engine


def engine_health(engine: Engine) -> AgentHealth:
    try:
        found = engine.read(paths.VERSION)
    except Retry as failure:
        return AgentHealth(available=False, message=failure.message)
    return AgentHealth(available=True, version=f"{found['Version']} (API {found['ApiVersion']})")


def understood(answer: Answer) -> Json | EngineError | None:
    """What is there, None where there is nothing, or why it is not told."""
    if answer.status == 404:
        return None
    try:
        found: Json = _content(answer)
    except EngineError as error:
        return error
    return found


def _content(answer: Answer) -> Any:
    if answer.status >= 400:
        raise EngineError(answer.status, answer.message)
    return from_json(answer.body) if answer.body else None  # in half the time of the standard library
