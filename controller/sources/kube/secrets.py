"""Secrets where desired state comes from a cluster: `{secret: {name, key}}` is an entry of a Secret in the resource's namespace.

Implements `engine.agent.Secrets`; `env` and `file` are this machine's, as in files mode. Nothing is kept: each look asks.
"""

from __future__ import annotations

import base64
import binascii

from controller.engine.agent import Retry, Secrets
from controller.sources.kube.cluster import Cluster, Forbidden, Missing, Refusal, Unreachable
from resources.conditions import Reason
from resources.meta import SecretKey, SecretRef


class KubeSecrets:
    """`own` has the secrets of this machine."""

    def __init__(self, cluster: Cluster, own: Secrets) -> None:
        self._cluster = cluster
        self._own = own

    def reveal(self, ref: SecretRef, namespace: str) -> str:
        """The value. Raises Retry: a Secret that is missing now may be on its way."""
        if ref.secret is None:
            return self._own.reveal(ref, namespace)
        entry = self._entry(ref.secret, namespace)
        try:
            return base64.b64decode(entry, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # Without the original error: its text quotes bytes of the value.
            raise _not_found(
                f"cannot use the entry {ref.secret.key} of the Secret {namespace}/{ref.secret.name}: it is not UTF-8 text"
            ) from None

    def digest(self, value: str) -> str:
        return self._own.digest(value)

    def _entry(self, secret: SecretKey, namespace: str) -> str:
        name = f"{namespace}/{secret.name}"
        try:
            found = self._cluster.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret.name}")
        except Missing:
            make = f"kubectl create secret generic {secret.name} -n {namespace} --from-literal={secret.key}=…"
            raise _not_found(f"cannot find the Secret {name}: {make}") from None
        except Forbidden as error:
            raise _not_found(
                f"cannot read the Secret {name}: {error}; the operator needs get on secrets there"
            ) from None
        except (Unreachable, Refusal) as error:
            raise Retry("SecretUnreachable", f"cannot read the Secret {name}: {error}") from None
        data = found.get("data") or {}
        if secret.key not in data:
            known = ", ".join(sorted(data)) or "none"
            raise _not_found(f"cannot find the entry {secret.key} in the Secret {name}: it has {known}")
        return str(data[secret.key])


def _not_found(message: str) -> Retry:
    return Retry(Reason.SECRET_NOT_FOUND, message)
