"""Odd surroundings of runs that write: what the caller has closed, and disks that are full."""

import os
import resource

import pytest

import tables
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
