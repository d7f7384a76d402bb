"""Fixtures shared by the command-line and the database tests."""

import os
import shutil

import pytest

import pg
import tool

ARCHIVE_EPOCH = 1761500000


@pytest.fixture(scope="session", autouse=True)
def programs():
    """Nothing here can pass without the programs, so a missing one is one clear failure."""
    missing = [name for name in ("replay",) if not (tool.BUILD / name).exists()]
    if missing:
        pytest.exit("not built: %s in %s; run make first" % (", ".join(missing), tool.BUILD), 1)


@pytest.fixture
def replay(tmp_path):
    """replay(arguments...) run in the test's own directory."""
    def run(*arguments, **more):
        more.setdefault("cwd", tmp_path)
        more.setdefault("env", tool.environment(tmp_path))
        return tool.run("replay", arguments, **more)
    return run


def stamp(directory):
    """Gives the archives of a case the modification times the expected results rest on."""
    names = sorted(p.name for p in directory.glob("arc-*"))
    for number, name in enumerate(names):
        os.utime(directory / name, (ARCHIVE_EPOCH + number,) * 2)
    return names


@pytest.fixture(scope="session")
def case_dirs(tmp_path_factory):
    """case name -> (a directory of copies, the archive names in byte order)."""
    made = {}

    def get(name):
        if name not in made:
            directory = tmp_path_factory.mktemp("case") / name
            shutil.copytree(tool.CASES / name, directory)
            made[name] = (directory, stamp(directory))
        return made[name]
    return get


@pytest.fixture
def server(postgres):
    """The throwaway PostgreSQL; databases made in a test go with it."""
    yield postgres
    postgres.drop_all()


@pytest.fixture(scope="session")
def postgres():
    """The throwaway PostgreSQL, started when the first test needs it."""
    running = pg.Server()
    try:
        yield running.start()
    finally:
        running.stop()
