"""The roles of docs/operations.md: what they are granted is enough, and no more is used."""

import pathlib
import re

import pytest

import world as worlds
from runs import Runs
from test_audit import audits  # noqa: F401
from test_poll import busy_shop, polls  # noqa: F401

DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "operations.md"
READ, WRITE = "reconcile_read", "reconcile_write"


def statements(db):
    """The statements that the manual has, for this database."""
    section = DOCS.read_text(encoding="utf-8").partition("## Privileges")[2]
    sql = section.partition("```sql\n")[2].partition("```")[0]
    assert sql.count("CREATE ROLE") == 2 and "GRANT UPDATE" in sql
    sql = sql.replace("DATABASE campaigns ", "DATABASE %s " % db.name)
    if db.variant.startswith("design"):
        for deployed, design in (("campaigns_contact", "campaigns_campaigncontact"),
                                 ("notifications_whatsapp_instance", "notifications_whatsappinstance"),
                                 ("campaigns_log", "campaigns_campaignlog")):
            sql = re.sub(r"\b%s\b" % deployed, design, sql)
        sql = re.sub(r"\bmessages_(sent|delivered|read|failed)\b", r"\1_count", sql)
    return sql


def grant(db):
    """Makes the roles, with what the manual grants and nothing besides."""
    sql = statements(db)
    known = db.sql("SELECT rolname FROM pg_roles;").split()
    if READ in known:  # of another database of this server
        sql = re.sub(r"^CREATE ROLE .*$", "", sql, flags=re.MULTILINE)
    db.sql("REVOKE ALL ON DATABASE %s FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;"
           "GRANT CONNECT ON DATABASE %s TO PUBLIC;\n" % (db.name, db.name) + sql)


@pytest.mark.parametrize("variant", ["deployed", "design", "bigint"])
@pytest.mark.parametrize("strategy", ["window", "message"])
def test_a_poll_needs_no_more_than_its_roles(server, polls, variant, strategy):
    shop = busy_shop(variant)
    shop.row(shop.tables.campaigns[0]["id"], "UNKNOWN SENDER")
    db = shop.create(server)
    grant(db)
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
