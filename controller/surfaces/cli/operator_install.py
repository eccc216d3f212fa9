"""`p2 operator manifest` and `p2 operator kubeconfig`: what a cluster and a machine need before an operator can run there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Exit, Refused
from controller.surfaces.cli.words import as_yaml

FIRST_LINE = "# Written by p2 operator kubeconfig"
SHORTEST = 600.0  # seconds: no API server makes a token for less


def print_manifest(app: App, namespaces: Sequence[str] = ()) -> Exit:
    """What `kubectl apply -f -` takes. Asks no cluster."""
    from controller.surfaces.manifest import manifest

    app.console.print(as_yaml(manifest(namespaces)))
    return Exit.OK


def print_kubeconfig(app: App, context: str, duration: float, output: Path | None, server: str) -> Exit:
    """A kubeconfig with a new token of the operators' account, which lasts `duration` seconds. Raises Refused."""
    from controller.sources.kube.cluster import Cluster, ClusterError
    from controller.sources.kube.tokens import kubeconfig

    if duration < SHORTEST:
        raise Refused("cannot make a token for less than ten minutes: give a longer --duration, such as 8760h")
    if server and not server.startswith(("https://", "http://")):
        raise Refused(f'cannot reach an API server at "{server}": give --server as https://HOST:PORT')
    if output is not None:
        _refuse_foreign(output)
    try:
        cluster = Cluster(context)
        try:
            made = kubeconfig(cluster, round(duration), server)
        finally:
            cluster.close()
    except ClusterError as error:
        raise Refused(str(error)) from error
    text = f"{FIRST_LINE}; its token lets in until {made.until}\n{as_yaml([made.kubeconfig])}\n"
    if output is None:
        app.console.print(text.rstrip("\n"))
    else:
        _write(output, text)
        app.console.print(f"wrote {output}")
    if made.kubeconfig["clusters"][0]["cluster"].get("insecure-skip-tls-verify"):
        tell(app, "it does not verify who the API server is, for your own kubeconfig does not either")
    tell(app, f"its token lets in until {made.until}; before that, make another")
    return Exit.OK


def _refuse_foreign(output: Path) -> None:
    """Raises Refused where somebody's own kubeconfig would be lost."""
    try:
        before = output.read_text(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refused(f"cannot read {output}: {error.strerror}") from error
    if not before.startswith(FIRST_LINE):
        raise Refused(
            f"cannot write {output}: it is there already, and p2 did not write it; move it away, or name another"
        )


def _write(output: Path, text: str) -> None:
    """Whole or not at all, and never readable for others. Raises Refused."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        draft.replace(output)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Refused(f"cannot write {output}: {error.strerror}; name a file where you may write") from error
