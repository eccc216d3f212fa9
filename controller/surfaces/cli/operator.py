"""`p2 operator`: the controller over the objects of a Kubernetes cluster, for one of its machines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Command, Exit, Option, Refused

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Operator(Command):
    """Reconcile the custom resources of a cluster on this machine.

    The same loop as p2 run, with the objects that kubectl applies in place of files. It runs on the machine itself, beside the
    cluster, and takes the objects whose spec.node is this machine's node; those without one are taken by the operator that was
    started with --default. Logs, metrics and exit codes are those of p2 run.

    Examples:
      p2 operator --default              on the only machine
      p2 operator --node atlas           one of several
    """

    name = "operator"
    changes = True
    lasts = True
    makes_home = True

    node: Annotated[
        str,
        Option("--node", metavar="NAME", help="What this machine is called (default: PEGASUS2_NODE, its host name)."),
    ] = ""
    default: Annotated[bool, Option("--default", help="Take the objects that name no node, too.")] = False
    namespaces: Annotated[
        tuple[str, ...], Option("--namespace", "-n", metavar="NS", help="Only objects of this namespace; repeatable.")
    ] = ()
    context: Annotated[str, Option("--context", metavar="NAME", help="Context of the kubeconfig.")] = ""

    def run(self, app: App) -> Exit:
        from controller.sources.cluster import Cluster, ClusterError
        from controller.surfaces.cli.running import supervised
        from controller.wiring.operator import Operator as Opened
        from controller.wiring.operator import Placement

        found = settings()
        placement = Placement(self.node or found.node, self.default, self.namespaces)
        try:
            with supervised(app) as around:
                cluster = Cluster(self.context)
                around.closing.callback(cluster.close)
                operator = Opened.open(cluster, placement, found, around.running.listeners)
                around.closing.enter_context(operator)
                around.begin(operator)
                where = {"node": placement.node, "server": cluster.server}
                log.info("watching the cluster; Ctrl-C stops", extra=where)
                operator.run(around.stop)
        except ClusterError as error:
            raise Refused(str(error)) from error
        return around.ended()
