"""What keeps --apply from writing, and the scope a run is given."""

import gzip
import json

import pytest

import archives
import tables
import tool
import world as worlds
from runs import OPEN, stored_counters

READ_LATER = "2025-10-20T11:00:00Z"


@pytest.fixture
def make(server, tmp_path):
    """make(world, variant): its database; the archives are saved."""
    def create(world, variant="deployed"):
        world.save(tmp_path)
        return world.create(server, variant)
    return create


def seen(world, moment=READ_LATER, status="READ"):
    world.archives = {"a": b"".join(
        worlds.line("loja", row["whatsapp_message_id"], status, moment)
        for row in world.tables.rows)}
    return world


def refused(runs, db, *arguments):
    """A run that must write nothing and end with status 4; what it said."""
    before = db.versions()
    done = runs.run(db, "--apply", *arguments)
    assert done.status == 4, done
    assert db.versions() == before
    return done.said


@pytest.mark.parametrize("limit,refuses", [("9", True), ("10", False), ("99%", True),
                                           ("100%", False), ("0", True)])
def test_more_corrections_than_allowed_are_refused(make, runs, limit, refuses):
    db = make(seen(worlds.campaign_of(["sent"], count=10)))
    arguments = ["--max-corrections", limit] + OPEN + ["a"]
    done, report = runs.report(db, *arguments)
    assert done.status == 1, done
    assert any("max-corrections" in w for w in report["warnings"]) is refuses
    if refuses:
        assert "--max-corrections" in refused(runs, db, *arguments)
    else:
        assert runs.run(db, "--apply", *arguments).status == 0


@pytest.mark.parametrize("code", [4, "5"])
def test_codes_of_the_other_dialect_need_the_dialect_named(make, runs, tmp_path, code):
    world = seen(worlds.campaign_of(["sent", "sent"]))
    world.archives["a"] += worlds.line("loja", "X", code, READ_LATER)
    db = make(world)
    done, report = runs.report(db, "--accept-clock", "a")
    assert done.status == 1, done
    assert any("--status-codes" in warning for warning in report["warnings"])
    assert "--status-codes" in refused(runs, db, "--accept-clock", "a")
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert report["warnings"] == []
    assert {r["status"] for r in tables.read(db).rows} == {"read"}


def test_the_dialect_may_be_named_by_the_environment(make, runs, tmp_path):
    world = worlds.campaign_of(["sent"])
    world.archives = {"a": worlds.line("loja", "M0", 4, READ_LATER)}
    db = make(world)
    env = tool.environment(tmp_path, RECONCILE_STATUS_CODES="baileys")
    done = runs.run(db, "--apply", "a", env=env)
    assert done.status == 0, done
    assert [r["status"] for r in tables.read(db).rows] == ["read"]


def test_a_corrupt_archive_needs_accept_damaged(make, runs, tmp_path):
    db = make(seen(worlds.campaign_of(["sent"] * 3)))
    raw = gzip.compress(worlds.line("loja", "M2", "DELIVERY_ACK", READ_LATER))
    archives.save(tmp_path / "b.gz", raw[:-8] + b"\0\0\0\0" + raw[-4:], worlds.START)
    done = runs.run(db, *OPEN, "a", "b.gz")
    assert done.status == 3, done
    assert "b.gz" in refused(runs, db, *OPEN, "a", "b.gz")
    done = runs.run(db, "--apply", "--accept-damaged", *OPEN, "a", "b.gz")
    assert done.status == 3, done
    assert {r["status"] for r in tables.read(db).rows} == {"read"}


def test_a_truncated_archive_is_used_and_told_of(make, runs, tmp_path):
    db = make(seen(worlds.campaign_of(["sent"] * 3)))
    raw = gzip.compress(b"".join(worlds.line("loja", "M%d" % n, "PLAYED", READ_LATER)
                                 for n in range(50)))
    archives.save(tmp_path / "b.gz", raw[:-8], worlds.START)
    done, report = runs.report(db, "--apply", *OPEN, "b.gz")
    assert done.status == 3, done
    assert report["input"]["archives_damaged"] == 1
    assert {r["status"] for r in tables.read(db).rows} == {"read"}


def test_a_wrong_clock_is_named_and_stops_apply(make, runs):
    # receipts three hours before the messages were sent: local time with a false Z
    db = make(seen(worlds.campaign_of(["sent"], count=8), "2025-10-20T07:05:00Z"))
    arguments = ["--status-codes", "app", "a"]
    done, report = runs.report(db, *arguments)
    assert done.status == 1, done
    clock = [w for w in report["warnings"] if "loja" in w]
    assert len(clock) == 1 and "8 of 8 messages" in clock[0] and "+03:00" in clock[0]
    assert "loja" in refused(runs, db, *arguments)
    done, report = runs.report(db, "--date-time-zone", "America/Sao_Paulo", *arguments)
    assert report["warnings"] == []
    done = runs.run(db, "--apply", "--date-time-zone", "America/Sao_Paulo",
                    *arguments)
    assert done.status == 0, done
    assert tables.read(db).rows[0]["read_at"] == 1760954700 * 1000000


def test_a_clock_known_from_received_times_stops_apply_too(make, runs):
    world = worlds.campaign_of(["sent"], count=8)
    lines = []
    for row in world.tables.rows:
        body = worlds.line("loja", row["whatsapp_message_id"], "READ", "2025-10-20T12:00:00Z")
        lines.append(b'{"received_at":"2025-10-20T15:00:01Z","body":' + body[:-1] + b"}\n")
    world.archives = {"a": b"".join(lines)}
    db = make(world)
    said = refused(runs, db, "--status-codes", "app", "a")
    # No receipt lies before its message: that is not the reason, and not told as one.
    assert "loja" in said and "more than 10 minutes after it; adding +03:00" in said
    assert "messages have events" not in said
    said = refused(runs, db, "--status-codes", "app", "--date-time-zone", "Asia/Tokyo", "a")
    assert "8 of 8 messages" in said and "+12:00" in said
    done = runs.run(db, "--apply", "--status-codes", "app", "--accept-clock", "a")
    assert done.status == 0, done


def test_four_early_rows_are_no_verdict_on_a_clock(make, runs):
    db = make(seen(worlds.campaign_of(["sent"], count=4), "2025-10-20T07:05:00Z"))
    done, report = runs.report(db, "--apply", "--status-codes", "app", "a")
    assert done.status == 0, done
    assert report["warnings"] == []


def test_rows_sent_before_all_time_are_no_verdict_on_a_clock(make, runs):
    world = seen(worlds.campaign_of(["sent"], count=8))
    db = make(world)
    db.sql("UPDATE %s SET sent_at = '-infinity'" % db.naming.row)
    done, report = runs.report(db, "--apply", "--status-codes", "app", "--settle", "0", "a")
    assert done.status == 0, done
    assert report["warnings"] == [] and report["messages"]["updated"] == 8


def test_rows_sent_after_all_time_have_a_clock_behind_them(make, runs, tmp_path):
    world = worlds.campaign_of(["sent"], count=8)
    db = make(world)
    db.sql("UPDATE %s SET sent_at = 'infinity'" % db.naming.row)
    (tmp_path / "s").write_text("".join(json.dumps({
        "instance": "loja", "message_id": row["whatsapp_message_id"], "seen": ["read"],
        "read_at": "1960-01-01T00:00:00Z", "approximate": [], "evidence": {"read": ["a", 1]}}) + "\n"
        for row in world.tables.rows))
    said = refused(runs, db, "--status-codes", "app", "--settle", "0", "--states-in", "s")
    assert "8 of 8 messages" in said and "adding +" in said


def test_rebuild_is_refused_where_the_archives_cannot_cover_the_campaign(make, runs):
    world = worlds.campaign_of(["sent", "read"])
    world.archives = {"a": worlds.line("loja", "M0", "READ", "2025-10-23T11:00:00Z")}
    db = make(world)
    said = refused(runs, db, "--rebuild", *OPEN, "a")
    assert "Natal" in said and "2025-10-20" in said
    done = runs.run(db, "--apply", "--rebuild", "--accept-partial", *OPEN, "a")
    assert done.status == 0, done
    assert sorted(r["status"] for r in tables.read(db).rows) == ["read", "sent"]


def test_rebuild_takes_back_what_covering_archives_do_not_prove(make, runs):
    world = worlds.campaign_of(["sent", "read", "delivered"])
    for row in world.tables.rows[1:]:
        row["delivered_at"] = row["sent_at"]
    world.archives = {"a": b"".join(
        worlds.line("loja", "M%d" % n, status, "2025-10-20T%s:00Z" % at)
        for n, status, at in ((0, "SERVER_ACK", "10:00"), (1, "SERVER_ACK", "10:00"),
                              (2, "SERVER_ACK", "10:01"), (2, "DELIVERY_ACK", "10:05")))}
    db = make(world)
    done, report = runs.report(db, "--apply", "--rebuild", *OPEN, "a")
    assert done.status == 0, done
    assert report["causes"]["unproven"] == 1 and report["messages"]["regressions"] == 1
    assert sorted(r["status"] for r in tables.read(db).rows) == ["delivered", "sent", "sent"]


@pytest.mark.parametrize("extra", [["--since", "2025-10-01"], ["--until", "2026-01-01"]])
def test_rebuild_of_a_window_is_refused(make, runs, extra):
    db = make(seen(worlds.campaign_of(["sent"] * 2)))
    refused(runs, db, "--rebuild", *OPEN, *extra, "a")


def test_rebuild_of_one_instance_is_a_wrong_option(make, runs):
    db = make(seen(worlds.campaign_of(["sent"] * 2)))
    done = runs.run(db, "--rebuild", "--instance", "loja", *OPEN, "a")
    assert done.status == 2 and len(done.lines) == 1, done


MISSING = [
    ("ALTER TABLE campaigns_contact DROP COLUMN read_at", ["read_at", "campaigns_contact"]),
    ("ALTER TABLE campaigns_campaign DROP COLUMN messages_failed", ["messages_failed",
                                                                    "campaigns_campaign"]),
    ("ALTER TABLE campaigns_contact RENAME COLUMN whatsapp_message_id TO wamid",
     ["whatsapp_message_id", "campaigns_contact"]),
    ("DROP TABLE notifications_whatsapp_instance CASCADE", ["notifications_whatsapp"]),
    ("DROP TABLE campaigns_campaign CASCADE", ["campaigns_campaign"]),
    ("DROP TABLE campaigns_contact CASCADE", ["campaigns_c", "contact"]),
    ("ALTER TABLE campaigns_campaign DROP COLUMN tenant_id", ["tenant_id", "campaigns_campaign"]),
]


@pytest.mark.parametrize("change,named", MISSING, ids=[m[0] for m in MISSING])
def test_a_missing_table_or_column_is_named(make, runs, change, named):
    db = make(seen(worlds.campaign_of(["sent"])))
    db.sql(change)
    done = runs.run(db, *OPEN, "a")
    assert done.status == 2, done
    assert all(name in done.said for name in named), done.said
    assert len(done.lines) <= 2


def test_a_database_without_evolution_names_works(make, runs):
    db = make(seen(worlds.campaign_of(["sent"])))
    db.sql("ALTER TABLE notifications_whatsapp_instance DROP COLUMN evolution_instance_name")
    done = runs.run(db, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert db.sql("SELECT status FROM campaigns_contact") == "read\n"


def test_an_empty_database_has_nothing_to_correct(server, runs, tmp_path):
    worlds.single("sent", [("READ", READ_LATER)]).save(tmp_path)
    db = server.fresh("deployed")
    done, report = runs.report(db, "--all", "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert report["messages"]["not_campaign_message"] == 1


@pytest.mark.parametrize("variant", ["deployed", "bigint"])
def test_a_campaign_may_be_chosen_by_name_or_id(make, runs, variant):
    world = seen(worlds.campaign_of(["sent"], count=6, campaigns=3, variant=variant))
    db = make(world, variant)
    first, second, third = world.tables.campaigns
    done = runs.run(db, "--apply", "--campaign", second["name"], "--campaign", str(third["id"]),
                    *OPEN, "a")
    assert done.status == 0, done
    read = {r["campaign_id"] for r in tables.read(db).rows if r["status"] == "read"}
    assert read == {second["id"], third["id"]}
    assert stored_counters(db)[first["id"]]["read"] == 0


def test_a_tenant_may_be_chosen(make, runs):
    world = seen(worlds.campaign_of(["sent"], count=4, campaigns=2))
    other = worlds.Maker("tenant", "deployed").new_id()
    world.tenants.append(other)
    world.tables.campaigns[1]["tenant_id"] = other
    world.tables.instances[0]["tenant_id"] = None
    db = make(world)
    done = runs.run(db, "--apply", "--tenant", other, *OPEN, "a")
    assert done.status == 0, done
    read = {r["campaign_id"] for r in tables.read(db).rows if r["status"] == "read"}
    assert read == {world.tables.campaigns[1]["id"]}


@pytest.mark.parametrize("option,value", [
    ("--campaign", "Nothing"), ("--campaign", "0b6f3c9e-0000-4000-8000-000000000000"),
    ("--tenant", "x")])
def test_a_scope_that_does_not_exist_is_named(make, runs, option, value):
    db = make(seen(worlds.campaign_of(["sent"])))
    done = runs.run(db, option, value, *OPEN, "a")
    assert done.status == 2, done
    assert value in done.said and len(done.lines) == 1


def test_a_campaign_name_two_campaigns_share_is_refused(make, runs):
    world = seen(worlds.campaign_of(["sent"], count=2, campaigns=2))
    world.tables.campaigns[1]["name"] = "Natal"
    db = make(world)
    done = runs.run(db, "--campaign", "Natal", *OPEN, "a")
    assert done.status == 2, done
    assert "Natal" in done.said


def test_instance_limits_the_evidence(make, runs):
    world = seen(worlds.campaign_of(["sent"], count=2))
    world.tables.instances.append(dict(world.tables.instances[0], instance_name="filial",
                                       id=worlds.Maker("filial", "deployed").new_id()))
    world.archives["a"] = worlds.line("loja", "M0", "READ", READ_LATER) + \
        worlds.line("filial", "M1", "READ", READ_LATER)
    db = make(world)
    done = runs.run(db, "--apply", "--instance", "filial", *OPEN, "a")
    assert done.status == 0, done
    rows = {r["whatsapp_message_id"]: r["status"] for r in tables.read(db).rows}
    assert rows == {"M0": "sent", "M1": "read"}


def test_all_recounts_campaigns_no_evidence_touches(make, runs):
    world = worlds.campaign_of(["read"], count=4, campaigns=2)
    world.archives = {"a": worlds.line("loja", "M0", "READ", READ_LATER)}
    db = make(world)
    done, report = runs.report(db, *OPEN, "a")
    assert [c["id"] for c in report["campaigns"]] == [world.tables.campaigns[0]["id"]]
    done, report = runs.report(db, "--all", *OPEN, "a")
    assert len(report["campaigns"]) == 2
