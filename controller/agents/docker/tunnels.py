"""Connections to engines elsewhere: over TLS, and through ssh. `wire.Address` makes them; to all else they are sockets.

Through ssh the program `docker system dial-stdio` there passes everything on to the engine's socket, as with Docker's own
ssh:// addresses; the user's ssh configuration, keys and agent count.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from contextlib import suppress
from typing import IO, Any

from controller.agents.docker.wire import CONNECT, Address, Tls, Unreached, connected_to

SSH_CONNECT = 20.0  # seconds until a connection must be there: it has more to do than others
_GREETING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"


def connect_tls(address: Address, tls: Tls, timeout: float) -> socket.socket:
    import ssl

    context = _context(tls)
    plain = connected_to(address.host, address.port, timeout)
    try:
        made: socket.socket = context.wrap_socket(plain, server_hostname=address.host)
    except BaseException as error:
        plain.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Unreached(
                f"it can't prove who it is ({error.verify_message})",
                "give the certificate of its authority in tls.ca, and call it by a name in its own certificate",
            ) from None
        if isinstance(error, ssl.SSLError):
            raise Unreached(
                f"it does not speak TLS ({error.reason})", "see whether its port is the one for TLS"
            ) from None
        raise
    made.settimeout(timeout)
    return made


def _context(tls: Tls) -> Any:
    import ssl

    context = ssl.create_default_context()
    for path, load in ((tls.ca, _believe), (tls.cert, _identify)):
        try:
            if path:
                load(context, tls)
        except OSError as error:  # among them what is no certificate
            why = (
                error.strerror if not isinstance(error, ssl.SSLError) else "it is no certificate in PEM, or not its key"
            )
            raise Unreached(f"cannot use {path}: {why}", "correct tls in agents/docker.yaml") from None
    return context


def _believe(context: Any, tls: Tls) -> None:
    context.load_verify_locations(tls.ca)


def _identify(context: Any, tls: Tls) -> None:
    context.load_cert_chain(tls.cert, tls.key)


class Tunnel(socket.socket):
    """One end of a pair, at the other end of which ssh reads and writes. Closing it ends ssh."""

    program: subprocess.Popen[bytes]

    def _real_close(self, *arguments: Any) -> None:
        super()._real_close(*arguments)  # type: ignore[misc]  # where `close` ends, once nobody reads from it any more
        self.program.terminate()
        try:
            self.program.wait(2.0)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()


def connect_ssh(address: Address, timeout: float) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs, tempfile.TemporaryFile() as said:
        try:
            # Not in our process group: who presses Ctrl-C means to end us, and we have something to finish first.
            program = subprocess.Popen(
                _command(address), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=said, start_new_session=True
            )
        except OSError as error:
            ours.close()
            why = "there is no program ssh" if isinstance(error, FileNotFoundError) else f"ssh: {error.strerror}"
            raise Unreached(why, "install it with 'apt-get install openssh-client'") from None
        theirs.close()  # so that the end of ssh is the end of the stream
        tunnel = Tunnel(fileno=ours.detach())
        tunnel.program = program
        try:
            _greet(tunnel, address, min(timeout, SSH_CONNECT), said)
        except BaseException:
            tunnel.close()
            raise
    tunnel.settimeout(timeout)
    return tunnel


def _command(address: Address) -> list[str]:
    """It asks nobody for a password, and notices within a minute that the other side has gone."""
    options = ["BatchMode=yes", f"ConnectTimeout={CONNECT:.0f}", "ServerAliveInterval=15", "ServerAliveCountMax=3"]
    command = ["ssh", *(word for option in options for word in ("-o", option))]
    command += ["-l", address.user] if address.user else []
    command += ["-p", str(address.port)] if address.port else []
    remote = ["docker", *(["--host", f"unix://{address.path}"] if address.path else []), "system", "dial-stdio"]
    return [*command, "--", address.host, *remote]


def _greet(tunnel: Tunnel, address: Address, timeout: float, said: IO[bytes]) -> None:
    """One question and its answer: else what ssh says about its failure would be told of nobody."""
    login = f"{address.user}@{address.host}" if address.user else address.host
    advice = f"this must work without a password for the user that runs p2: ssh {login} docker version"
    tunnel.settimeout(timeout)
    answer = b""
    try:
        tunnel.sendall(_GREETING)
        while not answer.endswith(b"OK"):
            if not (more := tunnel.recv(4096)):
                raise ConnectionResetError
            answer += more
    except TimeoutError:
        raise Unreached(f"ssh to {login} gave no answer within {timeout:.0f} s", advice) from None
    except OSError:
        with suppress(subprocess.TimeoutExpired):
            tunnel.program.wait(2.0)
        said.seek(0)
        words = " ".join(said.read(4096).decode(errors="replace").split()) or "ssh has ended"
        raise Unreached(words[:300], advice) from None
