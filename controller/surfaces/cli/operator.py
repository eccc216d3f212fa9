"""`p2 operator`: the controller over the objects of a Kubernetes cluster, for one of its machines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import duration, refuse_unusable_names

log = logging.getLogger(__name__)

YEAR = 365 * 24 * 3600.0  # seconds


def _complete(incomplete: str) -> list[str]:
    return [word for word in ("manifest", "kubeconfig") if word.startswith(incomplete)]


@dataclass(frozen=True)
class Operator(Command):
    """Reconcile the custom resources of a cluster on this machine.

    The same loop as p2 run, with the objects that kubectl applies in place of files. It runs on the machine itself, beside the
    cluster, and takes the objects whose spec.node is this machine's node; those without one are taken by the operator that was
    started with --default. Logs, metrics and exit codes are those of p2 run.

    p2 operator manifest prints what the cluster needs first: resource definitions, a namespace, an account and its rights.
    p2 operator kubeconfig makes a kubeconfig of that account, with yours: for the machines to log in with.

    Examples:
      p2 operator manifest | kubectl apply -f -
      p2 operator kubeconfig -o operator.kubeconfig
      p2 operator --default              on the only machine
      p2 operator --node atlas           one of several
    """

    name = "operator"
    changes = True
    lasts = True
    makes_home = True

    what: Annotated[
        str, Argument(metavar="[manifest|kubeconfig]", help="Print this, and run nothing.", autocompletion=_complete)
    ] = ""
    node: Annotated[
        str,
        Option("--node", metavar="NAME", help="What this machine is called (default: PEGASUS2_NODE, its host name)."),
    ] = ""
    default: Annotated[bool, Option("--default", help="Take the objects that name no node, too.")] = False
    namespaces: Annotated[
        tuple[str, ...], Option("--namespace", "-n", metavar="NS", help="Only objects of this namespace; repeatable.")
    ] = ()
    context: Annotated[str, Option("--context", metavar="NAME", help="Context of the kubeconfig.")] = ""
    lifetime: Annotated[
        float, Option("--duration", metavar="TIME", parser=duration, help="kubeconfig: how long it lets in (8760h).")
    ] = YEAR
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="kubeconfig: write it there.")] = None
    api: Annotated[
        str,
        Option(
            "--server", metavar="URL", help="kubeconfig: where the machine reaches the API server, if not as you do."
        ),
    ] = ""

    def asks_for_change(self) -> bool:
        return not self.what

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.operator_install import print_kubeconfig, print_manifest

        refuse_unusable_names(self.namespaces)
        if self.what != "kubeconfig" and (self.output or self.api):
            raise Refused("cannot use --output and --server here: they are for p2 operator kubeconfig")
        match self.what:
            case "":
                return self._operate(app)
            case "manifest":
                return print_manifest(app, self.namespaces)
            case "kubeconfig":
                return print_kubeconfig(app, self.context, self.lifetime, self.output, self.api)
        raise Refused(f'cannot print "{self.what}": say manifest or kubeconfig, or nothing for running the operator')

    def _operate(self, app: App) -> Exit:
        from controller.sources.kube.cluster import Cluster, ClusterError
        from controller.sources.kube.preflight import preflight
        from controller.surfaces.cli.running import supervised
        from controller.surfaces.cli.serving import Server
        from controller.wiring.host import Host
        from controller.wiring.operator import Operator as Opened
        from controller.wiring.operator import Placement

        found = settings()
        placement = Placement(self.node or found.node, self.default, self.namespaces)
        refuse_unusable_names((placement.node,))
        try:
            with supervised(app) as around:
                cluster = Cluster(self.context)
                around.closing.callback(cluster.close)
                for warning in preflight(cluster, placement.namespaces):
                    log.warning("not all is as it should be at the cluster", extra={"cause": warning})
                operator = Opened.open(cluster, placement, found, around.running.listeners)
                around.closing.enter_context(operator)
                around.running.host = Host(operator, around.running.listeners, found)
                around.begin(operator)
                around.closing.callback(Server(around.running.host).close)
                try:
                    operator.run(around.stop)
                except ClusterError as error:  # something for a person to put right, and so no crash
                    raise Refused(str(error)) from error
        except ClusterError as error:
            raise Refused(str(error)) from error
        return around.ended()
