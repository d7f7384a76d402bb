"""Without --apply nothing is written, and the report says what --apply would do."""

import pytest

import world as worlds
from runs import OPEN


@pytest.fixture(params=["deployed", "design-bigint"])
def made(request, server, tmp_path):
    world = worlds.Maker("dry", request.param, odd_rows=True).make()
    return world.create(server, request.param), world.save(tmp_path)


def stripped(report):
    """A report without what two runs may differ in."""
    kept = dict(report, run={k: v for k, v in report["run"].items() if k in ("tool", "version")})
    kept["corrections"] = [dict(c) for c in report["corrections"]]
    return kept


def test_a_dump_stays_byte_identical(runs, made):
    db, names = made
    before = db.dump()
    versions = db.versions()
    done = runs.run(db, "--all", "--settle", "0", *OPEN, *names)
    assert done.status in (1, 3), done
    assert db.dump() == before
    assert db.versions() == versions


def test_dry_run_wins_over_apply_wherever_given(runs, made):
    db, names = made
    before = db.versions()
    for arguments in (["-n", "--apply"], ["--apply", "--dry-run"]):
        done, report = runs.report(db, *arguments, "--settle", "0", *OPEN, *names)
        assert done.status in (1, 3), done
        assert report["run"]["applied"] is False
        assert db.versions() == before


def test_the_report_of_a_dry_run_is_that_of_the_applied_run(runs, made):
    db, names = made
    arguments = ["--all", "--details", "--settle", "0"] + OPEN + names
    _, dry = runs.report(db, *arguments)
    _, applied = runs.report(db, "--apply", *arguments)
    assert dry["messages"]["updated"] > 10 and len(dry["corrections"]) == dry["messages"]["updated"]
    assert stripped(dry) == stripped(applied)


def test_a_role_that_may_only_read_is_enough(runs, made):
    db, names = made
    _, wanted = runs.report(db, "--all", "--settle", "0", *OPEN, *names)
    done, report = runs.report(db, "--all", "--settle", "0", *OPEN, *names, user="reader")
    assert done.status in (1, 3), done
    assert stripped(report) == stripped(wanted)


def test_a_role_that_may_only_read_cannot_apply(runs, made):
    db, names = made
    before = db.versions()
    done = runs.run(db, "--apply", "--settle", "0", *OPEN, *names, user="reader")
    assert done.status == 4, done
    assert "permission denied" in done.said
    assert db.versions() == before


def test_a_database_that_refuses_writes_is_read(runs, made):
    db, names = made
    db.sql("ALTER DATABASE %s SET default_transaction_read_only = on" % db.name)
    done = runs.run(db, "--settle", "0", *OPEN, *names)
    assert done.status in (1, 3), done


def test_the_command_that_applies_is_told(runs, made):
    db, names = made
    done = runs.run(db, "--settle", "0", *OPEN, *names)
    told = (done.out + done.err).decode()
    assert "--apply" in told and names[0] in told
