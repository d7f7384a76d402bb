"""The roles of docs/roles.sql: what they are granted is enough, and none of it too much."""

import pathlib
import subprocess

import pytest

import tables
import world as worlds
from runs import Runs
from test_audit import audits  # noqa: F401
from test_poll import HOUR, NOW, Shop, busy_shop, polls  # noqa: F401

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "roles.sql"
READ, WRITE = "reconcile_read", "reconcile_write"


def grant(db, **asked_for):
    """Runs the script where nobody has any right by being PUBLIC."""
    db.sql("REVOKE ALL ON DATABASE %s FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;" % db.name)
    variables = [v for name, value in asked_for.items() for v in ("-v", "%s=%s" % (name, value))]
    subprocess.run(db.psql() + variables + ["-o", "/dev/null", "-f", SCRIPT], check=True)


@pytest.mark.parametrize("variant", ["deployed", "design", "bigint"])
@pytest.mark.parametrize("strategy", ["window", "message"])
def test_a_poll_needs_no_more_than_its_roles(server, polls, variant, strategy):
    shop = busy_shop(variant)
    shop.row(shop.tables.campaigns[0]["id"], "UNKNOWN SENDER")
    db = shop.create(server)
    grant(db, fix_total=1, health=1)
    polls.serve(shop)
    before = db.dump()
    done, dry = polls.report(db, "--strategy", strategy, "--fix-total", user=READ)
    assert done.status == 1 and dry["messages"]["updated"] > 40, done
    assert db.dump() == before
    done = polls.run(db, "--strategy", strategy, "--apply", user=READ)
    assert done.status == 4 and "permission denied" in done.said, done
    assert db.dump() == before
    done, report = polls.report(db, "--strategy", strategy, "--apply", "--fix-total",
                                "--instance-health", user=WRITE)
    assert done.status == 0, done
    assert report["messages"]["updated"] == dry["messages"]["updated"]
    assert report["messages"]["conflicts"] == report["messages"]["busy"] == 0
    done, again = polls.report(db, "--strategy", strategy, "--fix-total", user=READ)
    assert done.status == 0 and again["messages"]["updated"] == 0, done


@pytest.mark.parametrize("variant", ["deployed", "design"])
def test_replay_and_audit_need_no_more_than_their_roles(server, tmp_path, audits, variant):
    made = worlds.Maker("roles", variant).make()
    names = made.save(tmp_path)
    replays = Runs(tmp_path)
    arguments = ["--accept-clock", "--accept-damaged", "--status-codes", "app"] + names
    db = made.create(server, variant)
    grant(db)
    db.sql("REVOKE SELECT (created_at) ON %s FROM %s;" % (db.naming.row, READ))
    before = db.dump()
    done, dry = replays.report(db, *arguments, user=READ)
    assert done.status in (1, 3) and dry["messages"]["updated"] > 0, done
    assert db.dump() == before
    done, report = replays.report(db, "--apply", *arguments, user=WRITE)
    assert done.status in (0, 3) and report["run"]["applied"], done
    assert report["messages"]["updated"] == dry["messages"]["updated"]
    done = audits.run(db, user=READ)
    assert done.status in (0, 1), done
    done = audits.run(db, "--apply", user=WRITE)
    assert done.status == 0, done


def test_the_script_can_be_run_again_and_leaves_out_what_is_not_there(server):
    db = server.fresh("design")
    db.sql("DROP TABLE campaigns_campaign_instances; DROP TABLE campaigns_campaignlog;"
           " ALTER TABLE campaigns_campaigncontact DROP COLUMN created_at")
    grant(db)
    grant(db, fix_total=1, health=1, lag=1)
    assert db.sql("SELECT pg_has_role('%s', 'pg_read_all_stats', 'USAGE')" % WRITE).strip() == "t"
    db.sql("REVOKE pg_read_all_stats FROM %s" % WRITE)


WITH_ALL = ("--apply", "--fix-total", "--instance-health", "--strategy", "message", "--app-zone", "UTC")
# uuids are inserted, where this database has bigint ids; --rebuild alone reads the other
IDLE = ("INSERT (id) ON campaigns_log", "SELECT (campaign_id) ON campaigns_log")


def rights(db):
    """Every right on a column that the two roles have in this database, as GRANT and REVOKE name it."""
    return [(r["role"], "%s (%s) ON %s" % (r["right"], r["column"], r["table"])) for r in db.rows(
        "SELECT grantee AS role, privilege_type AS right, column_name AS column, table_name AS table"
        " FROM information_schema.column_privileges WHERE grantee IN ('%s', '%s')"
        " ORDER BY 1, 4, 2, 3" % (READ, WRITE))]


def test_each_right_is_needed(server, polls):
    """Without any one of them a run fails, or finds less: a poll, written with all its effects."""
    shop = Shop("bigint")
    campaign, loja = shop.campaign(), shop.instance("loja")
    shop.tables.campaigns[0]["total"] = 99
    shop.row(campaign, "A", instance=loja, sent=NOW - HOUR)
    shop.row(campaign, "B", sent=NOW - HOUR)
    shop.row(campaign, "C", sent=None, created=NOW - HOUR, log=[(loja, NOW - HOUR)])
    shop.knows("loja", "A", "READ", sent=NOW - HOUR)
    shop.knows("loja", "B", "ERROR", sent=NOW - HOUR)
    shop.knows("loja", "C", "DELIVERY_ACK", sent=NOW - HOUR)
    polls.serve(shop, version="1.8")
    db = shop.create(server)
    grant(db, fix_total=1, health=1)
    everything = rights(db) + [(WRITE, "TEMPORARY ON DATABASE " + db.name)]
    assert len(everything) > 50
    before = tables.read(db).rows
    for role, right in everything:
        if right in IDLE:
            continue
        db.sql("REVOKE %s FROM %s" % (right, role))
        done = polls.run(db, *WITH_ALL, user=WRITE)
        assert done.status == 4 and "permission denied" in done.said, (right, done)
        db.sql("GRANT %s TO %s" % (right, role))
    assert tables.read(db).rows == before
    done, report = polls.report(db, *WITH_ALL, user=WRITE)
    assert done.status == 0 and report["messages"]["updated"] == 3, done
