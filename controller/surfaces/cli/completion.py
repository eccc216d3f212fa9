"""`p2 completion`: the script that teaches a shell to complete p2. The shell then asks `main.complete`."""

from __future__ import annotations

from dataclasses import dataclass

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, argument

_PROGRAMS = ["p2", "pegasus2-orchestrator"]


@dataclass(frozen=True)
class Completion(Command):
    """Print the script that makes a shell complete commands, options, kinds and names.

    Examples:
      p2 completion bash > ~/.local/share/bash-completion/completions/p2
      p2 completion zsh > ~/.zfunc/_p2          with ~/.zfunc in fpath
      p2 completion fish > ~/.config/fish/completions/p2.fish
    """

    name = "completion"

    shell: str = argument("SHELL", "bash, zsh or fish.", choices=("bash", "zsh", "fish"))

    def run(self, app: App) -> Exit:
        from argcomplete.shell_integration import shellcode

        app.console.print(shellcode(_PROGRAMS, shell=self.shell).rstrip())
        return Exit.OK
