"""`p2 completion`: the script that teaches a shell to complete p2. The shell then asks the program itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import typer
import typer.completion

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit

# zsh runs the file when it completes for the first time, and expects an answer of it at once.
_ZSH_FIRST_TIME = '[[ ${zsh_eval_context[-1]} == loadautofunc ]] && "_${service//-/_}_completion"'


@dataclass(frozen=True)
class Completion(Command):
    """Print the script with which a shell completes p2.

    It completes commands, options, kinds, and the names of resources.

    Examples:
      p2 completion bash > ~/.local/share/bash-completion/completions/p2
      p2 completion zsh > ~/.zfunc/_p2          with ~/.zfunc in fpath
      p2 completion fish > ~/.config/fish/completions/p2.fish
    """

    name = "completion"

    shell: Annotated[Literal["bash", "zsh", "fish"], Argument(metavar="SHELL", help="bash, zsh or fish.")]

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.catalogue import PROGRAMS

        # Typer's own protocol: the program, asked through this variable, prints the script or completes a line.
        scripts = [
            typer.completion.get_completion_script(  # type: ignore[attr-defined]
                prog_name=name, complete_var=f"_{name.replace('-', '_').upper()}_COMPLETE", shell=self.shell
            ).strip()
            for name in PROGRAMS
        ]
        if self.shell == "zsh":
            scripts = [f"#compdef {' '.join(PROGRAMS)}", *scripts, _ZSH_FIRST_TIME]
        app.console.print(scripts)
        return Exit.OK
