"""Fixtures of the tests of what surrounds the programs: capture, timers, installation."""

import pathlib
import shutil
import tempfile

import pytest

import nginx


@pytest.fixture
def application():
    """What the webhooks are for; it is up."""
    app = nginx.Application().start()
    yield app
    app.stop()


@pytest.fixture
def capture(application):
    """A running nginx that captures; its directory can be reached by an unprivileged user."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="reconcile-nginx."))
    running = nginx.Nginx(directory, application)
    try:
        yield running.start()
    finally:
        running.stop()
        shutil.rmtree(directory)
