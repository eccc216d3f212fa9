"""The controller's side of commands that are sent to it: takes them over `$PEGASUS2_HOME/run/p2.sock` and carries them out.

`p2 run` starts a server. Each connection has a thread; the command in it is the very one that would have run in the client's
process, with a console that writes to the client and a host (`controller/wiring/host.py`) that opens workspaces within this
controller. Only the owner of the home, and root, are let in.
"""

from __future__ import annotations

import ctypes
import io
import logging
import os
import queue
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TextIO, cast

from controller import __version__
from controller.store.errors import told
from controller.surfaces.cli.app import App, Kept
from controller.surfaces.cli.console import Console, Paint
from controller.surfaces.cli.main import run
from controller.surfaces.cli.person import person
from controller.surfaces.cli.sending import SENT
from controller.surfaces.cli.wire import Line
from controller.surfaces.cli.written import as_typed

if TYPE_CHECKING:
    from controller.surfaces.cli.wire import Frame
    from controller.wiring.host import Host

log = logging.getLogger(__name__)

AT_ONCE = 16  # commands carried out at the same time; more wait in the kernel's queue
PATIENCE = 10.0  # seconds until a client has said what it wants
GOODBYE = 3.0  # seconds for commands to end when the controller does
_LOOK = 0.05  # seconds between looks at whether they have

_CLONE_FS = 0x200  # https://man7.org/linux/man-pages/man2/unshare.2.html
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: https://man7.org/linux/man-pages/man7/unix.7.html


class Server:
    """Takes commands until it is closed. The home's lock must be held: a socket that is there already is a dead one's."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._path = host.home.socket
        self._closed = Flag()
        self._calls: set[Call] = set()
        self._lock = Lock()
        self._listening = _listen(self._path)
        self._thread = Thread(target=self._accept, name="commands", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # closed
            with self._lock:
                busy = len(self._calls) >= AT_ONCE
            peer = _peer(connection)
            if busy or peer.uid not in (os.geteuid(), 0):
                log.warning("a command was turned away", extra={"pid": peer.pid, "uid": peer.uid, "busy": busy})
                connection.close()
                continue
            call = Call(Line(connection), peer, self._host)
            with self._lock:
                self._calls.add(call)
            Thread(target=self._serve, args=(call, connection), name="command", daemon=True).start()

    def _serve(self, call: Call, connection: socket.socket) -> None:
        try:
            connection.settimeout(PATIENCE)
            call.line.send(p2=__version__, pid=os.getpid())
            wanted = call.line.read()
            connection.settimeout(None)
            if wanted is not None:
                call.carry_out(wanted)
        except (OSError, ValueError) as error:
            log.info("a client was lost", extra={"pid": call.peer.pid, "cause": str(error)})
        except Exception:  # the loop goes on whatever a client sends
            log.exception("a command failed", extra={"pid": call.peer.pid})
        finally:
            call.line.close()
            with self._lock:
                self._calls.discard(call)
            call.ended.set()

    def close(self) -> None:
        """Takes no more commands, and breaks off the waiting of those that are here. What they have under way is finished."""
        self._closed.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.break_off()
        for call in _left(calls):
            call.line.hang_up()  # in case that it waits for its client
        while self._host.changing():  # for how long is a matter of the process's deadline
            time.sleep(_LOOK)
        _left(calls)


def _left(calls: Iterable[Call]) -> list[Call]:
    """Those that have not ended in the time that there is for it."""
    give_up = time.monotonic() + GOODBYE
    return [call for call in calls if not call.ended.wait(max(0.0, give_up - time.monotonic()))]


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel has it."""

    pid: int
    uid: int


class Call:
    """One command of one client."""

    def __init__(self, line: Line, peer: Peer, host: Host) -> None:
        self.line = line
        self.peer = peer
        self.ended = Flag()
        self._host = host
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._asking = Flag()
        self._stop = Flag()

    def carry_out(self, wanted: Frame) -> None:
        """Runs the command and tells the client how it ended. Raises ValueError for what is no command of ours."""
        words = wanted["words"]
        if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
            raise ValueError("no command line")
        if words[0] not in SENT:
            raise ValueError(f"{words[0]} is not carried out for others")
        Thread(target=self._listen, name="command-line", daemon=True).start()
        try:
            _own_directory(Path(wanted["directory"]))
            code = run(words, self._app(words, self._console(wanted)))
        except BrokenPipeError:
            return  # the client's reader has had enough
        self.line.send(exit=int(code))

    def _app(self, words: list[str], console: Console) -> App:
        return App(
            console,
            self._host.open,
            self._kept,
            stoppable=self._stoppable,
            user=person(self.peer.uid, self.peer.pid),
            typed=as_typed(words),
        )

    @contextmanager
    def _kept(self, *, read_only: bool) -> Iterator[Kept]:
        yield Kept(self._host.home, self._host.stores, examine=self._examine)

    def _examine(self) -> None:
        """Through a connection of its own: that of the loop is not to be kept busy for so long."""
        from controller.store.database import open_database

        with closing(open_database(self._host.home.database, read_only=True)) as database:
            database.examine(whole=True)

    @contextmanager
    def _stoppable(self) -> Iterator[Flag]:
        yield self._stop

    def _console(self, wanted: Frame) -> Console:
        paint, paint_err = (Paint(bool(each)) for each in wanted["paint"])
        live = bool(wanted["live"])
        return SentConsole(
            cast(TextIO, Sent(self.line, "out", is_terminal=wanted["width"] is not None)),
            cast(TextIO, Sent(self.line, "err", is_terminal=live)),
            paint,
            paint_err,
            live,
            bool(wanted["asks"]),
            wanted["width"],
            wanted["err_width"],
            ask_client=self._ask,
        )

    def _ask(self, question: str) -> str:
        """What the person at the client types. Raises KeyboardInterrupt for Ctrl-C, as typed here."""
        self._asking.set()
        self.line.send(ask=question)
        answer = self._answers.get()
        self._asking.clear()
        if answer is None:
            raise KeyboardInterrupt
        return answer

    def _listen(self) -> None:
        """What the client says while its command runs. One that has gone is not waited for."""
        try:
            for frame in self.line.frames():
                if frame.get("stop") and self._asking.is_set():
                    self._answers.put(None)
                elif frame.get("stop"):
                    self._stop.set()
                    self.line.send(err="\nno longer waiting; the controller goes on\n")
                elif isinstance(answer := frame.get("answer"), str):
                    self._answers.put(answer)
        except (OSError, ValueError):
            pass
        self.break_off()

    def break_off(self) -> None:
        """Nobody waits any more: neither for the end, nor for an answer."""
        self._stop.set()
        self._answers.put("")


class Sent(io.TextIOBase):
    """A stream whose text arrives at the client's stream of the same name."""

    def __init__(self, line: Line, name: str, *, is_terminal: bool) -> None:
        self._line = line
        self._name = name
        self._is_terminal = is_terminal

    def write(self, text: str) -> int:
        """Raises BrokenPipeError when the client has gone, as a pipe would."""
        try:
            self._line.send(**{self._name: text})
        except OSError as error:
            raise BrokenPipeError(str(error)) from error
        return len(text)

    def isatty(self) -> bool:
        return self._is_terminal

    def writable(self) -> bool:
        return True


@dataclass(frozen=True)
class SentConsole(Console):
    """The console of a command whose person sits at another process."""

    ask_client: Callable[[str], str] = str

    def ask(self, question: str) -> bool:
        return self.ask_client(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    try:
        with told(path, "listen at"):
            path.unlink(missing_ok=True)
            listening.bind(str(path))
            path.chmod(0o600)
            listening.listen(AT_ONCE)
    except BaseException:
        listening.close()
        raise
    return listening


def _peer(connection: socket.socket) -> Peer:
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return Peer(pid, uid)


def _own_directory(path: Path) -> None:
    """Makes the client's working directory this thread's own, so that paths mean what was typed. Raises OSError."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_FS):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    os.chdir(path)
