"""All commands: where each is, and what the front page of help says of it. `main.py` finds them here, `reading.py` lists them.

The words are those that the class of the command begins with (a test compares them): importing them all for one page of help
would take longer than the page.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.surfaces.cli.command import Command

PROGRAMS = ("p2", "pegasus2-orchestrator")

# Command -> class in the module of that name, and its summary; in the order and groups of the help page.
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Change the machine": {
        "diff": ("diff:Diff", "Show what apply would change. Changes nothing."),
        "apply": ("apply:Apply", "Make the machine what the source says."),
        "run": ("run:Run", "Watch the source and the machine, and keep them equal."),
        "operator": ("operator:Operator", "Reconcile the custom resources of a cluster on this machine."),
        "deploy": ("deploy:Deploy", "Roll out the images of an environment, and take them back if that fails."),
        "confirm": ("confirm:Confirm", "Allow what is held back, such as many deletions at once."),
        "delete": ("delete:Delete", "Remove what is owned and no longer declared."),
        "suspend": ("suspend:Suspend", "Leave a resource alone until `p2 resume`."),
        "resume": ("suspend:Resume", "Take up a suspended resource again."),
        "restart": ("restart:Restart", "Restart containers as they are."),
        "exec": ("exec:Exec", "Run a program within a container."),
        "rollback": ("rollback:Rollback", "Put the files back as they were in a revision, then apply them."),
        "pause": ("pause:Pause", "Change nothing on this machine until `p2 unpause`."),
        "unpause": ("pause:Unpause", "Let changes be made again: ends p2 pause, safe mode, and p2 stop."),
        "stop": ("stop:Stop", "Stop all changes now, and leave the machine as it is."),
        "recover": ("recover:Recover", "Rebuild a lost or damaged inventory from the marks in the world."),
    },
    "See how it is": {
        "get": ("get:Get", "List resources, and how they are."),
        "describe": ("describe:Describe", "Show all that is known of a resource."),
        "images": ("images:Images", "Show the images on this machine, and who uses them."),
        "logs": ("logs:Logs", "Show what containers have written."),
        "top": ("top:Top", "Show what the machine and all containers use, live."),
        "events": ("events:Events", "Show what happened, oldest first."),
        "audit": ("audit:Audit", "Show who did what to the machine, oldest first."),
        "history": ("history:History", "Show every applied revision, newest first."),
        "health": ("health:Health", "Check the home, the source, and the systems behind the agents."),
    },
    "Write the files": {
        "explain": ("explain:Explain", "Explain a kind or one of its fields."),
        "build": ("build:Build", "Print what an overlay resolves to, for kubectl and for reading."),
        "validate": ("validate:Validate", "Check the files of a source, without a look at the machine."),
        "import": ("importing:Import", "Print resources for what other programs have: Compose files, containers."),
        "schema": ("explain:Schema", "Print a JSON Schema with which editors complete and check."),
        "crds": ("crds:Crds", "Print the CustomResourceDefinitions of all kinds, for Kubernetes."),
    },
    "The program": {
        "backup-state": ("backup_state:BackupState", "Write all that Pegasus2 keeps into one file."),
        "restore-state": ("restore_state:RestoreState", "Take a backup of `p2 backup-state` into the home."),
        "install-service": ("service:InstallService", "Write a systemd unit that runs the controller."),
        "completion": ("completion:Completion", "Print the script with which a shell completes p2."),
        "version": ("version:Version", "Show the version of this program."),
    },
}
COMMANDS = {name: place for group in GROUPS.values() for name, (place, _) in group.items()}


def command_class(name: str) -> type[Command]:
    """Imports the module of a command."""
    module, _, class_name = COMMANDS[name].partition(":")
    found: type[Command] = getattr(importlib.import_module(f"controller.surfaces.cli.{module}"), class_name)
    return found
