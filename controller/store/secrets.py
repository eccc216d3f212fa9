"""Secrets in files mode: environment variables, files, and `$PEGASUS2_HOME/secrets/<name>/<key>`.

Implements `engine.agent.Secrets`; wiring hands one to every agent. Nothing is cached: a rotated secret is seen at the
next look.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from controller.engine.agent import Stalled
from controller.store.home import Home
from resources.conditions import Reason
from resources.meta import DEFAULT_NAMESPACE, SecretKey, SecretRef

# As Kubernetes demands of the keys of a Secret: https://kubernetes.io/docs/concepts/configuration/secret/
_ENTRY = re.compile(r"[-._a-zA-Z0-9]+")


class HomeSecrets:
    """Reveals and digests the secrets of one home."""

    def __init__(self, home: Home, environment: Mapping[str, str] = os.environ) -> None:
        self._home = home
        self._environment = environment

    def reveal(self, ref: SecretRef, namespace: str = DEFAULT_NAMESPACE) -> str:
        """The value. Raises Stalled(SecretNotFound) with what to do about it. Here all namespaces have the same secrets."""
        if ref.env is not None:
            return self._from_environment(ref.env)
        if ref.file is not None:
            return _from_file(Path(ref.file))
        assert ref.secret is not None
        return _from_file(self._path_of(ref.secret))

    def digest(self, value: str) -> str:
        """16 hex digits that tell values apart and, without the home's key, nothing else."""
        return hashlib.blake2b(
            value.encode(errors="surrogateescape"), key=self._home.digest_key, digest_size=8
        ).hexdigest()

    def _from_environment(self, name: str) -> str:
        try:
            return self._environment[name]
        except KeyError:
            raise _not_found(
                f"cannot find the environment variable {name}: set it where Pegasus2 is started, and start it again"
            ) from None

    def _path_of(self, secret: SecretKey) -> Path:
        if not _ENTRY.fullmatch(secret.key) or secret.key in (".", ".."):
            raise _not_found(
                f'cannot look up the entry "{secret.key}" of the secret {secret.name}: '
                "an entry's name holds letters, digits, dots, hyphens and underscores only"
            )
        return self._home.secrets / secret.name / secret.key


def _from_file(path: Path) -> str:
    try:
        return path.read_bytes().decode().removesuffix("\n")
    except FileNotFoundError:
        raise _not_found(f"cannot find the secret file {path}: write the value into it (chmod 600)") from None
    except UnicodeDecodeError:
        # Without the original error: its text quotes bytes of the value.
        raise _not_found(f"cannot read the secret file {path}: it is not UTF-8 text") from None
    except OSError as error:
        raise _not_found(f"cannot read the secret file {path}: {error.strerror}; make it readable") from error


def _not_found(message: str) -> Stalled:
    return Stalled(Reason.SECRET_NOT_FOUND, message)
