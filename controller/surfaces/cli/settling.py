"""What `p2 deploy` does again and again: has everything become Ready, and shows the log of what did not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from threading import Event as Flag
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App
from controller.surfaces.cli.console import Style

if TYPE_CHECKING:
    from controller.surfaces.cli.progress import Progress
    from controller.wiring.outcome import Preview, Summary
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Resource

LINES = 20  # of a log


def settled(
    app: App,
    workspace: Workspace,
    progress: Progress,
    preview: Preview,
    timeout: float,
    only: Collection[Key] | None = None,
) -> Summary:
    """Carries out what `preview` shows, and shows how it ended."""
    from controller.surfaces.cli.apply import converge, show_plan
    from controller.surfaces.cli.summary_view import summary_lines

    if preview.plans or preview.failures:
        show_plan(app, preview)
    summary = converge(app, workspace, progress, len(preview.plans), only=only, timeout=timeout)
    app.console.print(summary_lines(preview, summary, app.console.paint))
    return summary


def tell_logs_of_failed(app: App, workspace: Workspace, summary: Summary, lines: int = LINES) -> None:
    """The end of the log of each thing that is not Ready and has one."""
    entries = workspace.entries()
    failed = [key for key, status in sorted(summary.statuses.items()) if not status.ready and key in entries]
    tell_logs(app, workspace, (entries[key].resource for key in failed), lines)


def tell_logs(app: App, workspace: Workspace, resources: Iterable[Resource], lines: int = LINES) -> None:
    """The end of the log of these, as far as they have one."""
    from controller.engine.agent import Retry, Stalled
    from controller.engine.by_hand import LogQuery, Logs

    paint = app.console.paint_err
    for resource in resources:
        agent = workspace.parts.agent_of(resource.key.kind)
        if not isinstance(agent, Logs):
            continue
        with suppress(Retry, Stalled):  # what can't be shown is no failure of its own
            found = list(agent.logs(resource, LogQuery(tail=lines), Flag()))
            if found:
                app.console.note(paint(f"the last lines of {resource.key.short}:", Style.BOLD))
                app.console.note(f"  | {line.text}" for line in found)
