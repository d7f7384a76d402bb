"""Fixtures of the database tests."""

import pytest

from runs import Runs


@pytest.fixture
def runs(tmp_path):
    """Runs from the test's own directory."""
    return Runs(tmp_path)
