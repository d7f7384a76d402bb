"""reconcile audit: counters that drifted and rows that contradict themselves."""

import time

import pytest

import tables
import tool
import world as worlds
from oracle import database, decide, fold
from runs import Runs, at_once, assert_rows, shown, stored_counters

SENT = 1760954400 * 1000000  # 2025-10-20 10:00 UTC
MINUTE = 60 * 1000000
DAY = 1440 * MINUTE


class Audits(Runs):
    """Runs of reconcile audit."""

    def start(self, db, *arguments, user="postgres", env=None, **popen):
        return tool.start("reconcile", ["audit", "-d", db.conninfo(user)] + at_once(arguments),
                          self.directory, env or tool.environment(self.directory), **popen)


@pytest.fixture
def audits(tmp_path):
    return Audits(tmp_path)


def clean(count=12, campaigns=1, variant="deployed"):
    """Rows in all states that do not contradict themselves, and counters that count them."""
    world = worlds.campaign_of(["sent", "delivered", "read", "failed"], variant, count, campaigns)
    for row in world.tables.rows:
        if row["status"] in ("delivered", "read"):
            row["delivered_at"] = SENT + MINUTE
        if row["status"] == "read":
            row["read_at"] = SENT + 2 * MINUTE
        if row["status"] == "failed":
            row["failed_at"] = SENT + MINUTE
    recount(world)
    return world


def recount(world):
    for campaign in world.tables.campaigns:
        campaign.update(decide.counters(
            [r for r in world.tables.rows if r["campaign_id"] == campaign["id"]]))


@pytest.mark.parametrize("variant", ["deployed", "design-bigint"])
def test_a_clean_database_has_nothing_to_correct(server, audits, variant):
    db = clean(campaigns=2, variant=variant).create(server, variant)
    before = db.dump()
    for arguments in ([], ["--apply"], ["--all"]):
        done, report = audits.report(db, *arguments)
        assert done.status == 0, done
        assert report["campaigns"] == [] and report["messages"]["updated"] == 0
    assert db.dump() == before


@pytest.mark.parametrize("variant", ["deployed", "design"])
def test_counters_that_drifted_are_counted_again(server, audits, variant):
    world = clean(variant=variant)
    right = dict(world.tables.campaigns[0])
    world.tables.campaigns[0].update(sent=3, delivered=99, read=0, failed=7)
    db = world.create(server, variant)
    before = db.dump()
    done, dry = audits.report(db)
    assert done.status == 1, done
    assert db.dump() == before
    done, applied = audits.report(db, "--apply")
    assert done.status == 0, done
    assert dry["campaigns"] == applied["campaigns"]
    assert dry["campaigns"][0]["counters"]["delivered"] == {"stored": 99, "recomputed": 6}
    assert applied["campaigns"][0]["delivery_rate"] == 50
    assert applied["campaigns"][0]["read_rate"] == 50
    assert stored_counters(db)[right["id"]] == {
        k: right[k] for k in ("sent", "delivered", "read", "failed", "total")}
    versions = db.versions()
    done = audits.run(db, "--apply")
    assert done.status == 0 and db.versions() == versions, done


CONTRADICTIONS = [
    # (what the row holds, what it must come to, the cause)
    (dict(status="sent", read_at=SENT + MINUTE),
     dict(status="read", delivered_at=SENT + MINUTE), "overwritten"),
    (dict(status="sent", delivered_at=SENT + MINUTE), dict(status="delivered"), "overwritten"),
    (dict(status="read", read_at=SENT + MINUTE), dict(delivered_at=SENT + MINUTE), "inconsistent"),
    (dict(status="delivered", sent_at=None, delivered_at=SENT + MINUTE),
     dict(sent_at=SENT + MINUTE), "inconsistent"),
    (dict(status="sending", delivered_at=SENT), None, None),
    (dict(status="pending", read_at=SENT), None, None),
]


@pytest.mark.parametrize("held,wanted,cause", CONTRADICTIONS, ids=[
    "read overwritten", "delivered overwritten", "read without delivered", "delivered without sent",
    "sending", "pending"])
def test_a_row_that_contradicts_itself(server, audits, held, wanted, cause):
    world = clean(4)
    row = world.tables.rows[0]
    row.update(held)
    db = world.create(server, "deployed")
    done, report = audits.report(db, "--apply", "--details")
    if wanted is None:  # nothing repairs it, and its campaign's counters stay in order
        assert done.status == 0 and report["messages"]["updated"] == 0, done
        wanted = {}
    else:
        assert done.status == 0 and report["causes"][cause] == 1, done
        assert report["messages"]["updated"] == report["messages"]["updated_without_evidence"] == 1
        assert report["corrections"][0]["campaign_contact"] == row["id"]
    expected = {r["id"]: r for r in world.tables.rows}
    expected[row["id"]] = dict(row, **wanted)
    assert_rows(db, expected)
    found = tables.read(db)
    assert stored_counters(db) == {found.campaigns[0]["id"]: decide.counters(found.rows)}


def test_random_databases_are_decided_as_the_rules_say(server, audits):
    for seed in range(3):
        world = worlds.Maker("audit %d" % seed, "deployed", odd_rows=True).make()
        db = world.create(server, "deployed")
        expected = database.run(world.tables, fold.States(), scope="all")
        done, dry = audits.report(db)
        assert done.status == (3 if expected.left_alone else 1), done
        done, report = audits.report(db, "--apply")
        assert done.status == (3 if expected.left_alone else 0), done
        assert_rows(db, expected.rows, "seed %d" % seed)
        assert report["causes"] == dry["causes"] == expected.causes
        for id, counters in stored_counters(db).items():
            if id in expected.counters:
                assert dict(counters, total=0) == dict(expected.counters[id], total=0)
        versions = db.versions()
        audits.run(db, "--apply")
        assert db.versions() == versions


# ---- the scope ------------------------------------------------------------------------------

@pytest.fixture
def four(server):
    """Four campaigns with drifted counters, sent a day apart; the last two of another tenant."""
    world = clean(16, 4)
    other = worlds.Maker("tenant", "deployed").new_id()
    world.tenants.append(other)
    ids = [c["id"] for c in world.tables.campaigns]
    for n, campaign in enumerate(world.tables.campaigns):
        campaign["failed"] = 50
        campaign["tenant_id"] = other if n > 1 else campaign["tenant_id"]
    for row in world.tables.rows:
        for name in decide.TIMES:
            if row[name] is not None:
                row[name] += ids.index(row["campaign_id"]) * DAY
    return world.create(server, "deployed"), ids, other


SCOPES = [
    (lambda ids, other: ["--campaign", ids[1]], {1}),
    (lambda ids, other: ["--campaign", "Natal 2", "--campaign", ids[0]], {0, 2}),
    (lambda ids, other: ["--tenant", other], {2, 3}),
    (lambda ids, other: ["--sent-since", "2025-10-22T10:00:00Z"], {2, 3}),
    (lambda ids, other: ["--sent-until", "2025-10-22T10:00:00Z"], {0, 1}),
    (lambda ids, other: ["--sent-since", "2025-10-21T00:00:00Z",
                         "--sent-until", "2025-10-23T00:00:00Z"], {1, 2}),
    (lambda ids, other: ["--sent-since", "2026-01-01"], set()),
    (lambda ids, other: ["--all"], {0, 1, 2, 3}),
]


@pytest.mark.parametrize("choice,chosen", SCOPES, ids=[
    "id", "name and id", "tenant", "since", "until", "span", "none", "all"])
def test_the_scope_limits_what_is_counted(four, audits, choice, chosen):
    db, ids, other = four
    arguments = choice(ids, other)
    done, report = audits.report(db, *arguments)
    assert done.status == (1 if chosen else 0), done
    assert {c["id"] for c in report["campaigns"]} == {ids[n] for n in chosen}
    assert audits.run(db, "--apply", *arguments).status == 0
    right = {n for n in range(4) if stored_counters(db)[ids[n]]["failed"] == 0
             or stored_counters(db)[ids[n]]["failed"] == 4}
    assert right == chosen


@pytest.mark.parametrize("option,value", [("--campaign", "Nothing"), ("--tenant", "x")])
def test_a_scope_that_does_not_exist_is_named(four, audits, option, value):
    done = audits.run(four[0], option, value)
    assert done.status == 2 and value in done.said, done


# ---- beside others ----------------------------------------------------------------------------

def test_a_dry_run_waits_for_no_row_lock(four, audits):
    db, _, _ = four
    with db.session() as session:
        session.run("BEGIN; SELECT id FROM %s FOR UPDATE; SELECT id FROM %s FOR UPDATE;"
                    % (db.naming.row, db.naming.campaign))
        since = time.monotonic()
        done, report = audits.report(db)
        assert done.status == 1 and len(report["campaigns"]) == 4, done
        assert time.monotonic() - since < 10
        held = db.sql("SELECT count(*) FROM pg_locks WHERE NOT granted").strip()
        assert held == "0"


def test_a_dry_run_leaves_no_mark_on_any_row(four, audits):
    db, _, _ = four
    versions = db.versions()
    assert audits.run(db).status == 1
    assert db.versions() == versions


def test_a_role_that_may_only_read_is_enough(four, audits):
    db, _, _ = four
    _, wanted = audits.report(db, "-v")
    done, report = audits.report(db, "-v", user="reader")
    assert done.status == 1, done
    assert dict(report, run=0) == dict(wanted, run=0)
    before = db.versions()
    done = audits.run(db, "--apply", user="reader")
    assert done.status == 4 and "permission denied" in done.said, done
    assert db.versions() == before


def test_more_corrections_than_allowed_are_refused(server, audits):
    world = clean(8)
    for row in world.tables.rows:
        if row["status"] == "read":
            row.update(status="sent")
    db = world.create(server, "deployed")
    before = db.versions()
    done = audits.run(db, "--apply", "--max-corrections", "1")
    assert done.status == 4 and "--max-corrections" in done.said, done
    assert db.versions() == before
    done = audits.run(db, "--apply", "--max-corrections", "25%")
    assert done.status == 0, done


def test_young_rows_are_left_to_the_next_run(server, audits):
    world = clean(4)
    world.tables.rows[0].update(status="sent", read_at=SENT + MINUTE)
    recount(world)
    db = world.create(server, "deployed")
    env = tool.environment(audits.directory, RECONCILE_NOW="2025-10-20T10:14:00Z")
    done, report = audits.report(db, env=env)
    assert report["messages"]["deferred"] >= 1 and report["messages"]["updated"] == 0
    done, report = audits.report(db, "--settle", "5m", env=env)
    assert report["messages"]["deferred"] == 0 and report["messages"]["updated"] == 1


def test_failures_win_as_asked_for(server, audits):
    world = clean(4)
    row = world.tables.rows[3]
    assert row["status"] == "failed"
    row["delivered_at"] = SENT + MINUTE
    db = world.create(server, "deployed")
    audits.run(db, "--apply")
    assert shown([r for r in tables.read(db).rows if r["id"] == row["id"]][0])["status"] == "failed"
    done, report = audits.report(db, "--apply", "--failed-wins", "unless-delivered")
    assert done.status == 0 and report["messages"]["updated"] == 1, done
    assert [r["status"] for r in tables.read(db).rows if r["id"] == row["id"]] == ["delivered"]


def test_total_contacts_is_written_only_with_fix_total(server, audits):
    world = clean(4)
    world.tables.campaigns[0]["total"] = 40
    db = world.create(server, "deployed")
    assert audits.run(db).status == 0
    assert audits.run(db, "--fix-total").status == 1
    assert audits.run(db, "--apply", "--fix-total").status == 0
    assert [c["total"] for c in stored_counters(db).values()] == [4]


def test_the_command_that_applies_is_told(four, audits):
    db, ids, _ = four
    done = audits.run(db, "--campaign", ids[0])
    told = (done.out + done.err).decode()
    assert "reconcile audit --apply" in told and "--campaign %s" % ids[0] in told
