"""How long the audit is kept. A running controller prunes it when it starts and once a day; the workspace starts that."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

from controller.engine.stores import Audit, NotKept
from controller.store.errors import HomeError
from controller.store.home import Home

DEFAULT_DAYS = 400  # more than a year, so that what happened at this time last year can be looked up
_DAY = 86_400.0  # seconds

log = logging.getLogger(__name__)


class Retention:
    """`audit: {days: N}` in `config.yaml`. Raises HomeError naming file and field when that can't be read."""

    def __init__(self, home: Home, audit: Audit) -> None:
        self._days = days_from(home)
        self._audit = audit

    @contextmanager
    def kept(self, stop: Flag) -> Iterator[None]:
        """Prunes now and then until `stop` is set, in a thread of its own. The body sets `stop` before it ends."""
        thread = Thread(target=self._prune_daily, args=(stop,), name="audit-retention", daemon=True)
        thread.start()
        yield
        if stop.is_set():
            thread.join()

    def _prune_daily(self, stop: Flag) -> None:
        while True:
            try:
                if gone := self._audit.prune(time.time() - self._days * _DAY):
                    log.info("old entries of the audit removed", extra={"count": gone, "days": self._days})
            except NotKept as error:
                log.warning("the audit could not be pruned", extra={"cause": str(error)})
            if stop.wait(_DAY):
                return


def days_from(home: Home) -> float:
    """For how many days entries are kept beyond the newest. Raises HomeError."""
    path, found = home.path / "config.yaml", home.config().get("audit")
    if found is None:
        return DEFAULT_DAYS
    if not isinstance(found, dict):
        raise HomeError(f"cannot read {path}: audit: expected fields, like {{days: {DEFAULT_DAYS}}}")
    if unknown := sorted(str(name) for name in found if name != "days"):
        raise HomeError(f"cannot read {path}: audit.{unknown[0]}: unknown field; there is only audit.days")
    days = found.get("days", DEFAULT_DAYS)
    if isinstance(days, bool) or not isinstance(days, int | float) or not 1 <= days <= 100_000:
        raise HomeError(f"cannot read {path}: audit.days: expected a number of days from 1 to 100000, found {days!r}")
    return days
