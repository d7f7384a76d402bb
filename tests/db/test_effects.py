"""What a correction also writes: log rows, the contact's last interaction, the instance's day."""

import uuid

import pytest

import tool
import world as worlds
from runs import OPEN
from test_apply import SENT, eventually

VARIANTS = ("deployed", "design", "bigint", "design-bigint")
NAME, PHONE = "Pessoa 0", "0"


def at(hour, minute=0):
    return "2025-10-20T%02d:%02d:00Z" % (hour, minute)


def made(server, directory, status, evidence, variant="deployed", **row):
    world = worlds.single(status, evidence, variant, sent_at=SENT, **row)
    world.save(directory)
    return world.create(server, variant)


def logs(db):
    """log_type -> row; one of each at most."""
    rows = db.rows("SELECT * FROM %s ORDER BY log_type" % db.naming.log)
    assert len({(r["campaign_contact_id"], r["log_type"]) for r in rows}) == len(rows)
    return {r["log_type"]: r for r in rows}


def last_interaction(db):
    return [r["at"] for r in db.rows(
        "SELECT to_char(last_interaction_date AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS at FROM contacts_contact"
        " ORDER BY id")]


def apply(runs, db, *arguments, now=None, status=0):
    env = tool.environment(runs.directory)
    if now:
        env["RECONCILE_NOW"] = now
    done, report = runs.report(db, "--apply", *OPEN, *arguments, "a", env=env)
    assert done.status == status, done
    return report


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_read_is_logged_with_the_delivery_it_implies(server, runs, tmp_path, variant):
    db = made(server, tmp_path, "sent", [("READ", at(11))], variant)
    report = apply(runs, db)
    row = db.rows("SELECT * FROM %s" % db.naming.row)[0]
    campaign = db.rows("SELECT * FROM %s" % db.naming.campaign)[0]
    found = logs(db)
    assert set(found) == {"message_delivered", "message_read"}
    for kind, time in (("delivered", "delivered_at"), ("read", "read_at")):
        log = found["message_" + kind]
        assert log["severity"] == "info"
        assert log["message"] == {"delivered": "Mensagem entregue para ",
                                  "read": "Mensagem lida por "}[kind] + NAME
        assert log["details"] == {
            "contact_id": str(row["contact_id"]), "contact_phone": PHONE,
            "whatsapp_message_id": "M", time: "2025-10-20T11:00:00.000000Z",
            "source": "reconcile", "run": report["run"]["id"], "cause": "missed_webhook",
            "evidence": {"read": ["a", 1]}}
        assert log["campaign_id"] == row["campaign_id"]
        assert log["campaign_contact_id"] == row["id"]
        assert log["contact_id"] == row["contact_id"]
        assert log["instance_id"] is None and log["tenant_id"] == campaign["tenant_id"]
        assert db.sql("SELECT bool_and(created_at > now() - interval '1 minute') FROM %s"
                      % db.naming.log).strip() == "t"
        assert log["duration_ms"] is None and log["request_data"] is None
    assert last_interaction(db) == ["2025-10-20 11:00"]


def test_ids_of_log_rows_lie_together(server, runs, tmp_path):
    """Random ones would be written to every page of their index."""
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    apply(runs, db)
    rows = db.rows("SELECT id::text AS id, floor(extract(epoch FROM created_at) * 1000)::bigint AS ms"
                   " FROM campaigns_log")
    assert len(rows) == 2
    for row in rows:
        found = uuid.UUID(row["id"])
        assert found.version == 7 and found.variant == uuid.RFC_4122
        assert found.int >> 80 == int(row["ms"])
    assert len({row["id"][:27] for row in rows}) == 1


def test_a_failure_is_logged_as_an_error_with_its_text(server, runs, tmp_path):
    world = worlds.single("sent", sent_at=SENT)
    world.archives = {"a": worlds.line("loja", "M", "ERROR", at(11), error="número \"x\\' : inválido")}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    apply(runs, db)
    log = logs(db).pop("message_failed")
    assert log["severity"] == "error"
    assert log["message"] == "Falha ao enviar para %s: número \"x\\' : inválido" % NAME
    assert log["details"]["error"] == "número \"x\\' : inválido"
    assert log["details"]["failed_at"] == "2025-10-20T11:00:00.000000Z"
    assert last_interaction(db) == [None]


def test_only_what_becomes_known_is_logged(server, runs, tmp_path):
    delivered = SENT + 60 * 1000000
    db = made(server, tmp_path, "delivered", [("DELIVERED", at(10, 5)), ("READ", at(11))],
              delivered_at=delivered)
    apply(runs, db, "--timestamps", "earliest")
    assert set(logs(db)) == {"message_read"}
    db = made(server, tmp_path, "read", [("READ", at(11))])  # its times alone are filled in
    report = apply(runs, db)
    assert report["messages"]["updated"] == 1 and not logs(db)
    assert last_interaction(db) == [None]


def test_nothing_is_logged_twice(server, runs, tmp_path):
    """Neither what the handler has logged before, nor in a second run, nor once it was undone."""
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    db.sql("INSERT INTO campaigns_log (id, log_type, severity, message, created_at, campaign_id,"
           " campaign_contact_id) SELECT gen_random_uuid(), 'message_read', 'info', 'mine', now(),"
           " campaign_id, id FROM campaigns_contact")
    apply(runs, db)
    assert logs(db)["message_read"]["message"] == "mine"
    assert logs(db)["message_delivered"]["message"] == "Mensagem entregue para " + NAME
    before = logs(db)
    apply(runs, db)
    assert logs(db) == before
    db.sql("UPDATE campaigns_contact SET status = 'sent', delivered_at = NULL, read_at = NULL")
    assert apply(runs, db)["messages"]["updated"] == 1
    assert logs(db) == before


def test_the_last_interaction_moves_forward_only_and_by_exact_times(server, runs, tmp_path):
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    db.sql("UPDATE contacts_contact SET last_interaction_date = '2025-10-20T12:00:00Z'")
    apply(runs, db)
    assert last_interaction(db) == ["2025-10-20 12:00"]
    db = made(server, tmp_path, "sent", [("READ", None)])  # the archive's own time
    db.sql("UPDATE contacts_contact SET last_interaction_date = '2025-10-20T12:00:00Z'")
    assert apply(runs, db, "--settle", "0")["messages"]["updated"] == 1
    assert last_interaction(db) == ["2025-10-20 12:00"]


def test_a_contact_of_several_campaigns_is_moved_no_more_often_than_needed(server, runs, tmp_path):
    """The campaign read last comes first, whoever reads the other one long after everybody else."""
    world = worlds.campaign_of(["sent"], count=6, campaigns=2)
    # M0, M2, M4 are of one campaign, M1, M3, M5 of the other
    reads = [at(11), at(12), at(11, 5), at(12, 5), at(13), at(12, 10)]
    world.archives = {"a": b"".join(worlds.line("loja", "M%d" % n, "READ", time)
                                    for n, time in enumerate(reads))}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    db.sql("UPDATE campaigns_contact c SET contact_id = o.contact_id FROM campaigns_contact o WHERE"
           " right(c.whatsapp_message_id, 1)::int = right(o.whatsapp_message_id, 1)::int + 1"
           " AND o.whatsapp_message_id IN ('M0', 'M2', 'M4');"
           "CREATE TABLE moves (contact uuid);"
           "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
           " 'BEGIN INSERT INTO public.moves VALUES (new.id); RETURN NULL; END';"
           "CREATE TRIGGER note AFTER UPDATE ON contacts_contact FOR EACH ROW EXECUTE FUNCTION note()")
    apply(runs, db, "--batch", "3")
    moved = {r["m"]: (r["at"], r["n"]) for r in db.rows(
        "SELECT c.whatsapp_message_id AS m, (SELECT count(*) FROM moves WHERE contact = k.id) AS n,"
        " to_char(k.last_interaction_date AT TIME ZONE 'UTC', 'HH24:MI') AS at"
        " FROM contacts_contact k JOIN campaigns_contact c ON c.contact_id = k.id"
        " WHERE c.whatsapp_message_id IN ('M0', 'M2', 'M4')")}
    assert moved == {"M0": ("12:00", 1), "M2": ("12:05", 1), "M4": ("13:00", 2)}


def test_corrections_without_evidence_log_what_they_make_known(server, runs, tmp_path):
    """A row whose read_at an overwriting save has left behind."""
    db = made(server, tmp_path, "sent", [("SENT", at(10))], read_at=SENT + 60 * 1000000)
    report = apply(runs, db)
    assert report["causes"]["overwritten"] == 1
    found = logs(db)
    assert set(found) == {"message_delivered"}  # read was known already
    assert found["message_delivered"]["details"]["cause"] == "overwritten"


HEALTH = ("msgs_sent_today", "msgs_delivered_today", "msgs_read_today", "msgs_failed_today",
          "health_score", "consecutive_errors")


def busy_day(server, directory, reset, score=50):
    """Rows of two instances, read at 01:30 and 04:30 UTC: 22:30 and 01:30 in São Paulo."""
    world = worlds.campaign_of(["sent"], count=6)
    other = dict(world.tables.instances[0], id=worlds.Maker("other", "deployed").new_id(),
                 instance_name="filial")
    world.tables.instances.append(other)
    body = b""
    for n, row in enumerate(world.tables.rows):
        world.tables.rows[n] = dict(row, instance_used_id=[world.tables.instances[0]["id"],
                                                           other["id"], None][n % 3])
        name = ["loja", "filial", "loja"][n % 3]
        body += worlds.line(name, "M%d" % n, "READ", "2025-10-21T0%d:30:00Z" % (1 if n < 3 else 4))
    world.archives = {"a": body}
    world.save(directory)
    db = world.create(server, "deployed")
    db.sql("UPDATE notifications_whatsapp_instance SET msgs_sent_today = 7, msgs_delivered_today = 5,"
           " msgs_read_today = 3, msgs_failed_today = 1, health_score = %d, consecutive_errors = 2,"
           " health_last_reset = %s" % (score, reset))
    return db


def health(db):
    return {r["instance_name"]: tuple(r[k] for k in HEALTH) + (r["health_last_reset"],)
            for r in db.rows("SELECT * FROM notifications_whatsapp_instance")}


def test_the_day_of_the_instance_gains_what_happened_today(server, runs, tmp_path):
    db = busy_day(server, tmp_path, "'2025-10-21'")
    apply(runs, db, "--instance-health", now=at(23).replace("-20T", "-21T"))
    assert health(db) == {"loja": (7, 6, 4, 1, 50, 2, "2025-10-21"),
                          "filial": (7, 6, 4, 1, 50, 2, "2025-10-21")}


@pytest.mark.parametrize("reset,score,after", [("'2025-10-20'", 50, 60), ("NULL", 95, 100)])
def test_a_new_day_is_rolled_over_once(server, runs, tmp_path, reset, score, after):
    db = busy_day(server, tmp_path, reset, score)
    apply(runs, db, "--instance-health", "--batch", "1", now=at(23).replace("-20T", "-21T"))
    assert health(db)["loja"] == (0, 1, 1, 0, after, 2, "2025-10-21")


def test_the_day_is_that_of_the_application(server, runs, tmp_path):
    """At 02:00 UTC it is still the 20th in São Paulo: the reads at 22:30 are of that day."""
    db = busy_day(server, tmp_path, "'2025-10-20'")
    apply(runs, db, "--instance-health", "--settle", "0", now="2025-10-21T02:00:00Z")
    assert health(db)["loja"] == (7, 6, 4, 1, 50, 2, "2025-10-20")
    db = busy_day(server, tmp_path, "'2025-10-21'")
    apply(runs, db, "--instance-health", "--app-zone", "UTC", now="2025-10-21T23:00:00Z")
    assert health(db)["loja"] == (7, 7, 5, 1, 50, 2, "2025-10-21")


def test_a_day_that_has_come_is_not_rolled_back(server, runs, tmp_path):
    """A handler is past midnight, and we are not yet."""
    db = busy_day(server, tmp_path, "'2025-10-22'")
    before = health(db)
    apply(runs, db, "--instance-health", now=at(23).replace("-20T", "-21T"))
    assert health(db) == before


def test_without_the_option_or_anything_of_today_no_instance_is_touched(server, runs, tmp_path):
    for arguments, now in (((), "2025-10-21T23:00:00Z"),
                           (("--instance-health",), "2025-11-21T23:00:00Z")):
        db = busy_day(server, tmp_path, "'2025-10-20'")
        before = health(db)
        apply(runs, db, *arguments, now=now)
        assert health(db) == before


LACKING = {
    "DROP TABLE campaigns_log": "no usable log table: no log rows are written",
    "ALTER TABLE campaigns_log DROP COLUMN severity":
        'no column "severity" in table "public.campaigns_log": no log rows are written',
    "ALTER TABLE campaigns_log DROP COLUMN details":
        'no column "details" in table "public.campaigns_log": log rows are written without'
        ' "details"',
    "ALTER TABLE campaigns_log DROP COLUMN tenant_id":
        'no column "tenant_id" in table "public.campaigns_log": log rows are written without'
        ' "tenant_id"',
    "ALTER TABLE campaigns_log ALTER COLUMN details TYPE json USING details::json": None,
    "ALTER TABLE contacts_contact DROP COLUMN last_interaction_date CASCADE":
        'no column "last_interaction_date" in table "public.contacts_contact": it is not written',
    "ALTER TABLE notifications_whatsapp_instance DROP COLUMN health_last_reset":
        'no column "health_last_reset" in table "public.notifications_whatsapp_instance": the'
        " instances' counters of the day are not written",
    "DROP TABLE contacts_contact CASCADE":
        "no usable table of contacts: log rows do not name the contact",
}


@pytest.mark.parametrize("change", LACKING)
def test_what_the_catalog_lacks_is_left_out_with_one_note(server, runs, tmp_path, change):
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    db.sql(change)
    done, report = runs.report(db, *OPEN, "a")
    assert done.status == 1 and not report["warnings"], "a dry run writes none of it anyway"
    report = apply(runs, db, "--instance-health")
    assert report["messages"]["updated"] == 1
    assert report["warnings"] == ([LACKING[change]] if LACKING[change] else [])
    if "log" in change.split()[2] and "without" in (LACKING[change] or "without"):
        assert len(logs(db)) == 2


@pytest.mark.parametrize("single", [False, True])
def test_rows_decided_again_are_logged_as_they_were_written(server, runs, tmp_path, single):
    """One row moved between the decision and the write; its log rows tell what was written then."""
    world = worlds.campaign_of(["sent"], count=4)
    world.archives = {"a": b"".join(worlds.line("loja", "M%d" % n, "READ", at(11))
                                    for n in range(4))}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    more = ["--single-transaction"] if single else []
    with db.session() as session:
        session.run("BEGIN; LOCK TABLE campaigns_campaign IN ACCESS EXCLUSIVE MODE;")
        session.run("UPDATE campaigns_contact SET status = 'delivered', delivered_at ="
                    " '2025-10-20T10:30:00Z' WHERE whatsapp_message_id = 'M2';")
        child = runs.start(db, "--apply", *OPEN, *more, "a")
        eventually(lambda: db.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type ="
                                  " 'Lock' AND application_name LIKE 'replay%'").strip() == "1",
                   "the run waits")
        session.run("COMMIT;")
        assert tool.finish(child).status == 0
    rows = db.rows("SELECT c.whatsapp_message_id AS m, l.log_type AS t FROM campaigns_log l JOIN"
                   " campaigns_contact c ON c.id = l.campaign_contact_id ORDER BY 1, 2")
    assert [(r["m"], r["t"]) for r in rows] == [
        (m, t) for m in ("M0", "M1", "M2", "M3") for t in ("message_delivered", "message_read")
        if (m, t) != ("M2", "message_delivered")]


def test_all_or_nothing(server, runs, tmp_path):
    """A log row that cannot be written takes its corrections back with it."""
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    db.sql("ALTER TABLE campaigns_log ADD CONSTRAINT odd CHECK (log_type <> 'message_read')")
    before = db.dump()
    done = runs.run(db, "--apply", *OPEN, "a")
    assert done.status == 4 and "odd" in done.said, done
    assert db.dump() == before


def test_hostile_names_reach_a_log_row_as_text(server, runs, tmp_path):
    db = made(server, tmp_path, "sent", [("READ", at(11))])
    name = "Robert'); DROP TABLE campaigns_log;-- \\ \"é\" \u2028 <b>{{7*7}}"
    db.sql("UPDATE contacts_contact SET name = %s" % ("'" + name.replace("'", "''") + "'"))
    apply(runs, db)
    assert logs(db)["message_read"]["message"] == "Mensagem lida por " + name
