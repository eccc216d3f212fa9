from __future__ import annotations

from tests.cli.conftest import story as story
