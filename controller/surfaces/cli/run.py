"""`p2 run`: the controller in the foreground, its log on stderr and its metrics on loopback."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Command, Exit
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import place

if TYPE_CHECKING:
    pass

Value = TypeVar("Value")

log = logging.getLogger(__name__)

LOOKS = 5  # times the longest wait for a system: so long a single look may take before the loop counts as stuck


@dataclass(frozen=True)
class Run(Command):
    """Watch the source and the machine, and keep them equal.

    This is the controller; it runs until it is stopped. Ctrl-C or SIGTERM finishes what is under way, for at most
    PEGASUS2_STOP_TIMEOUT seconds (25). Logs go to stderr (PEGASUS2_LOG_LEVEL), metrics to
    http://127.0.0.1:9460/metrics (PEGASUS2_METRICS_PORT). As a service: p2 install-service.

    Exit code 0: stopped when told, and all that was under way is finished. 3: some of it was broken off after the
    deadline. 4: that did not help, and the next start finds out how far it got. 2: it could not start, or go on.

    Examples:
      p2 run                         ./state
      p2 run /srv/state
    """

    name = "run"
    changes = True
    lasts = True

    path: SourcePath = Path("state")

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.running import supervised
        from controller.surfaces.cli.serving import Server
        from controller.wiring.host import Host

        with supervised(app) as around:
            running = around.running
            opened = app.open(self.path, read_only=False, listener=running.listeners)
            workspace = around.closing.enter_context(opened)
            running.host = Host(workspace, running.listeners, settings())
            around.begin(workspace)
            server = Server(running.host)
            around.closing.callback(server.close)
            log.info("watching; Ctrl-C stops", extra={"source": place(workspace.source.name)})
            workspace.run(around.stop)
        return around.ended()
