"""`p2 deploy`: rolls the images of an environment out: built, tested, written down in git, applied, checked, or taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.environment import (
    Environment,
    complete_environments,
    environment_of,
    refuse_uncommitted,
)
from controller.surfaces.cli.parameters import Timeout, duration


@dataclass(frozen=True)
class Deploy(Command):
    """Roll out the images of an environment, and take them back if that fails.

    An environment is the overlay PATH/overlays/NAME. Builds or pulls its Images; runs its tests against them
    (--run-tests: PATH/overlays/NAME/tests); writes which images these are into the overlay's kustomization and commits
    that; applies the overlay, waits until all is Ready, and asks the addresses of its smoke checks. What fails before
    the commit has changed nothing that runs; what fails after it is taken back by another commit, and applied. The very
    same is then refused until something else is committed, or with --force.

    Exit code 0: deployed. 1: it failed. 2: refused, and nothing was changed. 130: interrupted.

    Examples:
      p2 deploy --environment staging --run-tests
      p2 deploy -e production --image shop/web=:1.4 -m "Version 1.4"
      p2 deploy -e staging /srv/state --yes
    """

    name = "deploy"
    changes = True

    path: Annotated[Path, Argument(metavar="PATH", help="The directory with overlays/ (default: ./state).")] = Path(
        "state"
    )
    environment: Annotated[
        str,
        Option("-e", "--environment", metavar="NAME", autocompletion=complete_environments, help="Where to deploy to."),
    ] = ""
    run_tests: Annotated[bool, Option("--run-tests", help="Run the environment's tests first.")] = False
    image: Annotated[
        tuple[str, ...],
        Option(
            "--image", metavar="NAME=REF", help="Roll out this image under that name; repeatable. NAME=:TAG is enough."
        ),
    ] = ()
    force: Annotated[bool, Option("--force", help="Roll out once more what was taken back the last time.")] = False
    message: Annotated[str, Option("-m", "--message", metavar="TEXT", help="First line of the commit.")] = ""
    yes: Annotated[bool, Option("-y", "--yes", help="Delete without asking.")] = False
    timeout: Timeout = 300.0
    smoke_timeout: Annotated[
        float,
        Option("--smoke-timeout", metavar="TIME", parser=duration, help="For each smoke check to pass (default: 30s)."),
    ] = 30.0

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.braking import refuse_braked
        from controller.surfaces.cli.deploying import Deploying
        from controller.surfaces.cli.trial_run import refuse_without

        environment = environment_of(self.path, self.environment)
        if self.run_tests:
            refuse_without(environment)
        with app.kept(read_only=True) as kept:
            refuse_braked(app, kept.stores, "deploy anything")
        refuse_uncommitted([environment.root, environment.overlay])
        with _alone(app, environment), app.stoppable() as stop:
            return Deploying(app, self, environment, stop).run()


@contextmanager
def _alone(app: App, environment: Environment) -> Iterator[None]:
    """One deployment at a time on this machine. Raises Refused."""
    from controller.store.errors import HomeError
    from controller.store.lock import hold, holder

    home = app.home(read_only=False)
    home.prepare()
    lock = home.path / "run" / "deploy.lock"
    lock.parent.mkdir(exist_ok=True, mode=0o700)
    try:
        with hold(lock):
            yield
    except HomeError as error:
        if (other := holder(lock)) is None:
            raise
        raise Refused(
            f"cannot deploy to {environment.name}: another deployment is under way (process {other.pid}); "
            "try again when it has ended"
        ) from error
