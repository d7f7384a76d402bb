"""Fixtures of the database tests."""

import pytest

import pg
import serverlog
from runs import Runs


@pytest.fixture
def runs(tmp_path):
    """Runs from the test's own directory."""
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def watched_server():
    """A server that logs waits, errors and, of sessions that ask for it, statements."""
    running = pg.Server(**dict(serverlog.SETTINGS, deadlock_timeout="50ms", log_lock_waits="on",
                               track_commit_timestamp="on", synchronous_commit="on"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def watched(watched_server):
    """That server; databases made in a test go with it."""
    yield watched_server
    watched_server.drop_all()
