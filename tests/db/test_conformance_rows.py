"""The conformance databases end as expected, under either naming and either type of id."""

import csv
import json

import pytest

import pg
import tables
from oracle import decide, times
from runs import OPEN, stored_counters
from tool import CASES

VARIANTS = [("deployed", "deployed"), ("deployed", "bigint"),
            ("design", "design"), ("design", "design-bigint")]


def load(server, case, variant):
    sql = (CASES / case / "db.sql").read_text()
    if variant.endswith("bigint"):
        sql = pg.with_bigint_ids(sql)
    return server.fresh(variant, sql, case)


def expected_table(case, variant, name):
    convert = pg.bigint_of if variant.endswith("bigint") else str
    with open(CASES / case / name, newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        for column in ("id", "campaign_id"):
            if column in row:
                row[column] = convert(row[column])
    return rows


@pytest.mark.parametrize("case,variant", VARIANTS)
def test_rows_counters_and_messages(server, runs, case_dirs, case, variant):
    directory, names = case_dirs(case)
    db = load(server, case, variant)
    runs.directory = directory
    before = {row["id"]: row for row in tables.read(db).rows}
    done, report = runs.report(db, "--all", "--apply", "--settle", "0", *OPEN, *names)
    assert done.status == 3, done  # ambiguous and mismatched evidence
    after = {row["id"]: row for row in tables.read(db).rows}
    wrong = []
    for want in expected_table(case, variant, "rows.csv"):
        row = after[want["id"]]
        got = {v: (times.show(row[v]) if v in decide.TIMES else row[v]) or "" for v in decide.VALUES}
        got["corrected"] = "1" if row != before[want["id"]] else "0"
        differing = {k: (got[k], want[k]) for k in got if got[k] != want[k]}
        if differing:
            wrong.append((want["id"], differing))
    assert not wrong, wrong[:3]
    stored = stored_counters(db)
    recounted = {row["campaign_id"]: row for row in expected_table(case, variant, "counters.csv")}
    assert set(stored) == set(recounted)
    for campaign, want in recounted.items():
        got = {k: str(stored[campaign][k]) for k in ("sent", "delivered", "read", "failed")}
        assert got == {k: want[k] for k in got}, campaign
    messages = json.loads((CASES / case / "messages.json").read_text())
    assert {k: report["messages"][k] for k in messages} == messages


@pytest.mark.parametrize("case,variant", VARIANTS)
def test_a_second_run_finds_nothing(server, runs, case_dirs, case, variant):
    directory, names = case_dirs(case)
    db = load(server, case, variant)
    runs.directory = directory
    runs.run(db, "--all", "--apply", "--settle", "0", *OPEN, *names)
    written = db.versions()
    done, report = runs.report(db, "--all", "--apply", "--settle", "0", *OPEN, *names)
    assert report["messages"]["updated"] == 0
    assert report["campaigns"] == []
    assert db.versions() == written
    assert done.status == 3
