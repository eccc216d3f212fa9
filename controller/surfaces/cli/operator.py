"""`p2 operator`: what a cluster and a machine need for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import duration


@dataclass(frozen=True)
class Operator(Command):
    """Reconcile the objects of a Kubernetes cluster on this machine.

    Examples:
      p2 operator manifest | kubectl apply -f -       give the cluster what it needs
      p2 operator kubeconfig -o operator.kubeconfig   log in as the operator, with nothing but its rights
    """

    name = "operator"

    what: Annotated[
        str, Argument(metavar="[manifest|kubeconfig]", help="Print what the cluster, or the machine, needs.")
    ] = ""
    context: Annotated[str, Option("--context", metavar="NAME", help="Of the kubeconfig.")] = ""
    namespace: Annotated[
        tuple[str, ...], Option("--namespace", metavar="NAME", help="Only objects in it; repeatable.")
    ] = ()
    duration: Annotated[
        float, Option("--duration", metavar="TIME", parser=duration, help="How long the token lasts (8760h).")
    ] = 365 * 24 * 3600.0
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="Write it there.")] = None
    server: Annotated[
        str, Option("--server", metavar="URL", help="Address of the API server as the machine reaches it.")
    ] = ""

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.operator_install import print_kubeconfig, print_manifest

        match self.what:
            case "manifest":
                return print_manifest(app, self.namespace)
            case "kubeconfig":
                return print_kubeconfig(app, self.context, self.duration, self.output, self.server)
        raise Refused(f"cannot do operator {self.what}: it is manifest or kubeconfig")
