"""How much of a test of endurance is done: little by default, all of it with `P2_CHAOS=full`, as much as asked with a number.

`P2_TEST_SEED` chooses which random moments and edits it meets.
"""

from __future__ import annotations

import os

SEED = int(os.environ.get("P2_TEST_SEED", "1"))


def sized(small: int, full: int) -> int:
    """A number in `P2_CHAOS` counts where it lies between the two."""
    asked = os.environ.get("P2_CHAOS", "")
    if asked == "full":
        return full
    return max(small, min(full, int(asked))) if asked else small
