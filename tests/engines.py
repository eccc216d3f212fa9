"""Other ways to an engine: over TCP, over TLS with certificates on both sides, and through an sshd of the tests' own.

A `Forwarder` passes connections on to the engine's socket; it can go away and come back, as a machine does.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from tests.certificates import Authority
from tests.registry import free_port
from tests.support import eventually

SSHD = "/usr/sbin/sshd"


def sshd_missing() -> str:
    """What keeps an `ssh_server` from being started, or an empty text."""
    if os.geteuid() != 0:
        return "starting an sshd of the tests' own takes root"
    programs = [SSHD, "ssh", "docker"]  # the last one is called at the other end
    missing = [program for program in programs if not shutil.which(program)]
    return f"no {', '.join(missing)} (Debian packages openssh-server, openssh-client, docker.io)" if missing else ""


class Forwarder:
    """Listens on a port of the loopback interface; with `authority` it speaks TLS, and wants certificates signed by it."""

    def __init__(self, path: str, authority: Authority | None = None) -> None:
        self._path, self._context = path, _context(authority) if authority else None
        self.port = free_port()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.start()

    @property
    def host(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """It is there (again)."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """It has gone, and with it all connections."""
        if self._listener:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._pass_on, args=(accepted,), daemon=True).start()

    def _pass_on(self, accepted: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(accepted, server_side=True) if self._context else accepted
        except OSError:
            accepted.close()
            return
        with client, socket.socket(socket.AF_UNIX) as engine:
            self._open |= {client, engine}
            try:
                engine.connect(self._path)
                back = Thread(target=_pour, args=(engine, client), daemon=True)
                back.start()
                _pour(client, engine)
                back.join()
            except OSError:
                return
            finally:
                self._open -= {client, engine}


def _context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("engine"))
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(65536):
            sink.sendall(received)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def forwarder(path: str, authority: Authority | None = None) -> Iterator[Forwarder]:
    made = Forwarder(path, authority)
    try:
        yield made
    finally:
        made.stop()


@dataclass(frozen=True)
class SshServer:
    """`client` is a directory to be put before PATH: its ssh knows this server and has a key for it."""

    host: str
    client: Path
    key: Path


@contextmanager
def ssh_server(directory: Path) -> Iterator[SshServer]:
    """One that lets the test's user in with a key, and nobody with a password."""
    directory.mkdir(parents=True, exist_ok=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    for name in ("host", "user"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
    (directory / "authorized").write_bytes((directory / "user.pub").read_bytes())
    config = directory / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized\n"
        f"PidFile {directory}/pid\nStrictModes no\nUsePAM {_pam()}\nPasswordAuthentication no\nPermitRootLogin yes\n"
        "MaxStartups 100\n"
    )
    client = _client(directory, port)
    with (directory / "sshd.log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
    try:
        eventually(lambda: _accepts(port), "the sshd of the tests accepted a connection")
        yield SshServer(f"ssh://127.0.0.1:{port}", client, directory / "user")
    finally:
        process.terminate()
        process.wait(10)


def _pam() -> str:
    """Without PAM an account whose password is locked is let in by no means, keys included."""
    passwords = (line.split(":") for line in Path("/etc/shadow").read_text().splitlines())
    return "yes" if any(name == "root" and password.startswith("!") for name, password, *_ in passwords) else "no"


def _client(directory: Path, port: int) -> Path:
    """An ssh that looks into a configuration of its own: it finds the user's by the password database, not by HOME."""
    known = (directory / "host.pub").read_text().split()[:2]
    (directory / "known").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
    config = directory / "ssh_config"
    config.write_text(
        f"IdentityFile {directory}/user\nIdentitiesOnly yes\nUserKnownHostsFile {directory}/known\n"
        "StrictHostKeyChecking yes\n"
    )
    program = directory / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    program.chmod(0o755)
    return program.parent


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _run(*command: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
