"""Tells the user what is held back and what is wrong with the source: each thing once, when it is new. The manager calls."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from controller.engine.parts import Parts
from controller.engine.stores import Hold, Level, NotKept
from resources.conditions import Reason

log = logging.getLogger(__name__)


class Teller:
    """Used by one thread at a time. What can't be kept now is told with the next revision."""

    def __init__(self, parts: Parts) -> None:
        self._index = parts.index
        self._board = parts.board
        self._holds = parts.stores.holds
        self._source = parts.identity.source
        self._untold: deque[Hold] = deque()
        self._told: frozenset[str] = frozenset()  # what is wrong with the source, as recorded last

    def tell(self, holds: Sequence[Hold], news: Sequence[Hold]) -> None:
        """Keeps `holds`, with an event for each of `news` and each thing wrong with the source that is new."""
        self._untold.extend(news)
        try:
            self._holds.replace(self._source, holds)
            while self._untold:
                hold = self._untold[0]
                message = f"kept {len(hold.keys)} that left the source: {hold.message}"
                self._board.record(None, Level.WARNING, hold.reason, message)
                self._untold.popleft()
            self._tell_problems()
        except NotKept as error:
            log.warning("what is held and what is wrong could not be told", extra={"cause": str(error)})

    def _tell_problems(self) -> None:
        problems = {str(problem): Reason.SOURCE_INVALID for problem in self._index.problems()}
        if self._index.message:
            problems[self._index.message] = Reason.SOURCE_EMPTY
        for problem in sorted(problems.keys() - self._told):
            self._board.record(None, Level.WARNING, problems[problem], problem)
        self._told = frozenset(problems)
