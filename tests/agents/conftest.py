"""Assertions of the contract suite explain themselves, although its module is not named like a test."""

import pytest

pytest.register_assert_rewrite("tests.agents.contract")
