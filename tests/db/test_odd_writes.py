"""Odd surroundings of runs that write: what the caller has closed, and disks that are full."""

import os
import resource
import shlex
import signal

import pytest

import pgproxy
import tables
import tool
from runs import OPEN, stored_counters
from test_actions import acts, everything, lines_of, ten  # noqa: F401


def close(*descriptors):
    def run():
        for fd in descriptors:
            os.close(fd)
    return run


@pytest.mark.parametrize("closed,status", [([0, 1, 2], 4), ([1, 2], 4), ([0, 2], 0), ([2], 0)])
def test_a_report_reaches_neither_server_nor_journal(ten, acts, closed, status):
    before = everything(ten)
    done = acts.run(ten, "--apply", "-v", *OPEN, "a", preexec_fn=close(*closed))
    assert done.status == status, done  # 4: a report that cannot be written
    assert {row["status"] for row in tables.read(ten).rows} == {"read"}
    journal, = acts.journals()
    assert lines_of(journal)[0]["kind"] == "journal"
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["updated"] == len(before), done
    assert [row["status"] for row in everything(ten)] == [row["status"] for row in before]


def test_a_journal_that_cannot_grow_ends_the_run_before_anything_is_committed(ten, acts, tmp_path):
    before = everything(ten), stored_counters(ten)
    done = acts.run(ten, "--apply", "--journal", "j.gz", *OPEN, "a", "-o", "/dev/null",
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)))
    assert done.status == 4 and "j.gz" in done.said and "File too large" in done.said, done
    assert (everything(ten), stored_counters(ten)) == before


def test_a_plan_that_cannot_be_written_whole_is_not_there(ten, acts, tmp_path):
    done = acts.run(ten, "--plan-out", "/dev/full", *OPEN, "a")
    assert done.status == 4 and '"/dev/full": No space left on device' in done.said, done
    done = acts.run(ten, "--plan-out", "p.gz", *OPEN, "a", "-o", "/dev/null",
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert done.status == 4 and '"p.gz": File too large' in done.said, done
    assert sorted(p.name for p in tmp_path.iterdir() if "p.gz" in p.name) == []


def test_a_device_is_no_journal(ten, acts):
    before = ten.versions()
    done = acts.run(ten, "--apply", "--journal", "/dev/full", *OPEN, "a")
    assert done.status == 4 and '"/dev/full": File exists' in done.said, done
    assert ten.versions() == before


def assert_undone_as_told(db, acts, done, before):
    """stderr names the one command that undoes what was written."""
    told, = [line for line in done.lines if "to undo what was written: " in line]
    words = shlex.split(told.split("to undo what was written: ")[1])
    assert words[1] == "revert", told
    assert acts.run(db, *words[2:], program=("reconcile", "revert")).status == 0
    assert everything(db) == before


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "-q"])
@pytest.mark.parametrize("where", ["-o", "stdout"])
def test_a_run_whose_report_cannot_be_written_tells_how_to_undo_it(ten, acts, where, quiet):
    before = everything(ten)
    with open("/dev/full", "wb") as full:
        output = {"stdout": full} if where == "stdout" else {}
        arguments = [] if where == "stdout" else ["-o", "/dev/full"]
        done = acts.run(ten, "--apply", *quiet, *arguments, *OPEN, "a", **output)
    assert done.status == 4 and "10 correction(s) had been committed" in done.said, done
    assert "No space left on device" in done.said
    assert_undone_as_told(ten, acts, done, before)


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "-q"])
def test_a_run_that_is_ended_tells_how_to_undo_what_it_wrote(ten, acts, quiet):
    before = everything(ten)
    with pgproxy.Proxy(ten.server) as proxy:
        run = acts.start(proxy.database(ten.name, "deployed"), "--apply", "--batch", "2", *quiet,
                         *OPEN, "a")
        proxy.watch(run, pgproxy.Moment(pgproxy.COMMIT, 2, pgproxy.AFTER),
                    lambda: run.send_signal(signal.SIGTERM) or True)
        done = tool.finish(run)
    assert proxy.struck and done.status == 143, done
    assert 0 < [row["status"] for row in tables.read(ten).rows].count("read") < 10
    told, = [line for line in done.lines if "to undo what was written: " in line]
    assert acts.revert(ten, shlex.split(told)[-1])[0].status == 0
    assert everything(ten) == before


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_run_that_fails_behind_its_writing_tells_how_to_undo_it(ten, acts, form):
    """Somebody puts the counters back as it commits; a report for programs names no command."""
    before = everything(ten)
    ten.sql("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
            " UPDATE public.%s SET messages_read = 1 WHERE id = NEW.id; RETURN NULL; END';"
            "CREATE CONSTRAINT TRIGGER again AFTER UPDATE ON %s DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW WHEN (NEW.messages_read <> 1) EXECUTE FUNCTION again()"
            % (ten.naming.campaign, ten.naming.campaign))
    done = acts.run(ten, "--apply", "--verify", "-q", "--format", form, "-o", "r", *OPEN, "a")
    assert done.status == 4 and "verification failed" in done.said, done
    assert_undone_as_told(ten, acts, done, before)
