"""What --apply writes, refuses and leaves alone, also while others write."""

import json
import re
import signal
import threading
import time

import pytest

import archives
import pgproxy
import tables
import tool
import world as worlds
from oracle import decide
from runs import OPEN, assert_rows, shown, stored_counters

SENT = 1760954400 * 1000000  # 2025-10-20 10:00 UTC
READ_LATER = "2025-10-20T11:00:00Z"
WAIT = 20


def sightings(world, status="READ", moment=READ_LATER):
    """The world's archive: one sighting of every row."""
    world.archives = {"a": b"".join(
        worlds.line("loja", row["whatsapp_message_id"], status, moment) for row in world.tables.rows)}
    return world


@pytest.fixture
def ten(server, tmp_path):
    """A campaign of ten sent rows that were all read, and its archive's name."""
    world = sightings(worlds.campaign_of(["sent"], count=10))
    world.save(tmp_path)
    return world.create(server, "deployed")


def statuses(db):
    return [r["status"] for r in sorted(tables.read(db).rows,
                                        key=lambda r: int(r["whatsapp_message_id"][1:]))]


def eventually(condition, what):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "not within %d s: %s" % (WAIT, what)
        time.sleep(0.02)


def waiting(db):
    """How many sessions of replay wait for a lock."""
    return int(db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND"
                      " wait_event_type = 'Lock' AND application_name LIKE 'replay%%'" % db.name))


def held_by(db, session):
    """Locks every campaign in a session, which stops a writing run in its first batch."""
    session.run("BEGIN; SELECT id FROM %s FOR UPDATE;" % db.naming.campaign)


def test_a_lost_read_is_written_with_its_closure(server, runs, tmp_path):
    world = worlds.single("sent", [("READ", READ_LATER)], sent_at=SENT)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 0, done
    row = tables.read(db).rows[0]
    assert shown(row) == {
        "status": "read", "sent_at": "2025-10-20T10:00:00.000000Z",
        "delivered_at": "2025-10-20T11:00:00.000000Z", "read_at": "2025-10-20T11:00:00.000000Z",
        "failed_at": None, "error_message": None}
    assert report["campaigns"][0]["counters"]["read"] == {"stored": 0, "recomputed": 1}
    assert report["campaigns"][0]["delivery_rate"] == 100
    assert list(stored_counters(db).values()) == [
        {"sent": 1, "delivered": 1, "read": 1, "failed": 0, "total": 1}]


def test_nothing_but_state_and_counters_is_written(server, runs, tmp_path):
    world = worlds.Maker("columns", "deployed").make()
    names = world.save(tmp_path)
    db = world.create(server, "deployed")
    tables_ = {db.naming.row: set(decide.VALUES),
               db.naming.campaign: set(db.naming.counters.values()) - {"total_contacts"}}
    before = {t: db.rows("SELECT * FROM %s ORDER BY id" % t) for t in tables_}
    done = runs.run(db, "--all", "--apply", "--settle", "0", *OPEN, *names)
    assert done.status in (0, 3), done
    for table, columns in tables_.items():
        after = db.rows("SELECT * FROM %s ORDER BY id" % table)
        changed = {k for old, new in zip(before[table], after) for k in old if old[k] != new[k]}
        assert changed and changed <= columns, table


def test_total_contacts_is_written_only_with_fix_total(ten, runs):
    ten.sql("UPDATE %s SET total_contacts = 77" % ten.naming.campaign)
    runs.run(ten, "--apply", *OPEN, "a")
    assert [c["total"] for c in stored_counters(ten).values()] == [77]
    done, report = runs.report(ten, *OPEN, "a")
    assert done.status == 0 and report["campaigns"] == []
    done, report = runs.report(ten, "--fix-total", *OPEN, "a")
    assert done.status == 1
    assert report["campaigns"][0]["counters"]["total"] == {"stored": 77, "recomputed": 10}
    done = runs.run(ten, "--apply", "--fix-total", *OPEN, "a")
    assert done.status == 0
    assert [c["total"] for c in stored_counters(ten).values()] == [10]


def test_drifted_counters_alone_are_put_right(ten, runs):
    runs.run(ten, "--apply", *OPEN, "a")
    ten.sql("UPDATE %s SET messages_read = 3, messages_failed = 9" % ten.naming.campaign)
    done, report = runs.report(ten, *OPEN, "a")
    assert done.status == 1 and report["messages"]["updated"] == 0
    assert report["campaigns"][0]["counters"]["failed"] == {"stored": 9, "recomputed": 0}
    assert runs.run(ten, "--apply", *OPEN, "a").status == 0
    assert [(c["read"], c["failed"]) for c in stored_counters(ten).values()] == [(10, 0)]


def test_a_second_writing_run_is_turned_away(ten, runs):
    with ten.session() as session:
        held_by(ten, session)
        first = runs.start(ten, "--apply", *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the first run reaches the campaign's lock")
        second = runs.run(ten, "--apply", *OPEN, "a")
        assert second.status == 5, second
        assert len(second.lines) == 1
        dry = runs.run(ten, *OPEN, "a")
        assert dry.status == 1, "a dry run takes no lock"
        third = runs.start(ten, "--apply", "--lock-wait", "60s", *OPEN, "a")
        time.sleep(0.3)
        assert third.poll() is None
        session.run("ROLLBACK;")
        assert tool.finish(first).status == 0
        assert tool.finish(third).status == 0
    assert statuses(ten) == ["read"] * 10


def test_a_row_somebody_holds_is_busy_and_not_waited_for(ten, runs):
    with ten.session() as session:
        session.run("BEGIN; SELECT id FROM %s WHERE whatsapp_message_id = 'M4' FOR UPDATE;"
                    % ten.naming.row)
        done, report = runs.report(ten, "--apply", *OPEN, "a")
        assert done.status == 3, done
        assert report["messages"]["busy"] == 1
        held, = (r["id"] for r in tables.read(ten).rows if r["whatsapp_message_id"] == "M4")
        told, = report["warnings"]
        assert told in done.said and ten.naming.row in told and held in told
        assert statuses(ten) == ["read"] * 4 + ["sent"] + ["read"] * 5
        assert [c["read"] for c in stored_counters(ten).values()] == [9]
    done = runs.run(ten, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert statuses(ten) == ["read"] * 10
    assert [c["read"] for c in stored_counters(ten).values()] == [10]


@pytest.mark.parametrize("mode", [[], ["--batch", "3"], ["--single-transaction"]])
def test_a_contact_somebody_holds_keeps_back_its_rows_alone(ten, runs, mode):
    """Its last interaction cannot be written, so the row that proves it is not, either."""
    with ten.session() as session:
        session.run("BEGIN; SELECT k.id FROM contacts_contact k JOIN %s c ON c.contact_id = k.id"
                    " WHERE c.whatsapp_message_id = 'M4' FOR UPDATE OF k;" % ten.naming.row)
        done, report = runs.report(ten, "--apply", *mode, *OPEN, "a")
        assert done.status == 3 and report["messages"]["busy"] == 1, done
        held, = (r["id"] for r in tables.read(ten).rows if r["whatsapp_message_id"] == "M4")
        told, = report["warnings"]
        assert "contacts stayed locked" in told and held in told
        assert statuses(ten) == ["read"] * 4 + ["sent"] + ["read"] * 5
        assert [c["read"] for c in stored_counters(ten).values()] == [9]
    assert ten.sql("SELECT count(*) AS n FROM contacts_contact WHERE last_interaction_date IS NULL")
    done = runs.run(ten, "--apply", *OPEN, "a")
    assert done.status == 0 and statuses(ten) == ["read"] * 10, done
    for journal in sorted((runs.directory / "state").glob("journal-*"), reverse=True):
        undone = tool.run("reconcile", ["revert", "-d", ten.conninfo(), "--recheck", "0", journal],
                          runs.directory)
        assert undone.status == 0, undone
    assert statuses(ten) == ["sent"] * 10


@pytest.mark.parametrize("table", ["campaigns_campaign"])
def test_what_stayed_locked_is_named(ten, runs, table):
    """Whatever a batch needs: it is not always the campaign that somebody holds."""
    ten.sql("CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_catalog.set_config('lock_timeout', '10', true); RETURN NEW; END $$;"
            "CREATE TRIGGER hurry BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION hurry();"
            % ten.naming.row)
    with ten.session() as session:
        session.run("BEGIN; SELECT FROM %s FOR UPDATE;" % table)
        done, report = runs.report(ten, "--apply", *OPEN, "a")
        session.run("ROLLBACK;")
    assert done.status == 3 and report["messages"]["busy"] == 10, done
    told, = report["warnings"]
    assert told in done.said and "10 correction(s)" in told
    assert re.search(r'\(while locking tuple \(0,\d+\) in relation "%s"\)$' % table, told), told


def test_a_row_that_moved_meanwhile_is_not_overwritten(ten, runs):
    with ten.session() as session:
        held_by(ten, session)
        run = runs.start(ten, "--apply", "--batch", "1", *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the run reaches the campaign's lock")
        # the first batch holds one row; all others move
        with ten.session() as live:
            live.run("UPDATE {0} SET status = 'read', delivered_at = '2025-10-20 10:01Z',"
                     " read_at = '2025-10-20 10:02Z' WHERE id IN (SELECT id FROM {0}"
                     " WHERE status = 'sent' FOR UPDATE SKIP LOCKED);".format(ten.naming.row))
        session.run("COMMIT;")
        done = tool.finish(run)
    assert done.status in (0, 3), done
    read_at = sorted(shown(r)["read_at"] for r in tables.read(ten).rows)
    assert read_at == ["2025-10-20T10:02:00.000000Z"] * 9 + ["2025-10-20T11:00:00.000000Z"]
    assert list(stored_counters(ten).values()) == [
        {"sent": 10, "delivered": 10, "read": 10, "failed": 0, "total": 1}]


@pytest.mark.parametrize("options", [[], ["--batch", "5"], ["--single-transaction"]])
def test_rows_out_of_order_are_no_hindrance_where_they_are_being_corrected(server, runs, tmp_path,
                                                                           options):
    """Every row counts as read but not as delivered, until the last of them is corrected."""
    world = worlds.campaign_of(["failed"], count=20)
    world.tables.rows = [dict(row, read_at=SENT + 60000000) for row in world.tables.rows]
    world.archives = {"a": worlds.line("loja", "M0", "SENT", "2025-10-20T10:00:00Z")}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    with db.session() as session:  # and even if one of them is busy to the end
        session.run("BEGIN; SELECT id FROM campaigns_contact WHERE whatsapp_message_id = 'M19'"
                    " FOR UPDATE;")
        done, report = runs.report(db, "--apply", *options, *OPEN, "a")
    assert done.status == 3 and report["messages"]["busy"] == 1, done
    assert report["messages"]["updated"] == 19
    assert [(c["sent"], c["delivered"], c["read"]) for c in stored_counters(db).values()] == [
        (20, 19, 20)]
    assert runs.run(db, "--apply", *options, *OPEN, "a").status == 0
    assert [(c["sent"], c["delivered"], c["read"]) for c in stored_counters(db).values()] == [
        (20, 20, 20)]


@pytest.mark.parametrize("options", [[], ["--single-transaction"]])
def test_a_campaign_that_goes_out_of_order_meanwhile_is_left_alone_and_named(server, runs, tmp_path,
                                                                             options):
    world = sightings(worlds.campaign_of(["sent"], count=10))
    odd = dict(world.tables.rows[0], id=worlds.Maker("odd", "deployed").new_id(),
               whatsapp_message_id="M10")
    world.tables.rows.append(odd)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    with db.session() as session:
        held_by(db, session)
        run = runs.start(db, "--apply", "--format", "json", *options, *OPEN, "a")
        eventually(lambda: waiting(db) == 1, "the run reaches the campaign's lock")
        db.sql("UPDATE campaigns_contact SET status = 'failed', read_at = now()"
               " WHERE whatsapp_message_id = 'M10'")
        session.run("COMMIT;")
        done = tool.finish(run)
    report = json.loads(done.out)
    assert done.status == 3, done
    assert report["messages"]["updated"] == 0
    assert any("Natal" in w and "left alone" in w for w in report["warnings"]), report["warnings"]
    assert statuses(db) == ["sent"] * 10 + ["failed"]
    assert [c["read"] for c in stored_counters(db).values()] == [0]


def test_a_row_reused_for_another_message_is_left_alone(ten, runs):
    with ten.session() as session:
        held_by(ten, session)
        run = runs.start(ten, "--apply", "--batch", "1", *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the run reaches the campaign's lock")
        with ten.session() as live:
            live.run("UPDATE {0} SET whatsapp_message_id = 'NEW-' || whatsapp_message_id"
                     " WHERE id IN (SELECT id FROM {0} WHERE status = 'sent'"
                     " FOR UPDATE SKIP LOCKED);".format(ten.naming.row))
        session.run("COMMIT;")
        done = tool.finish(run)
    assert done.status in (0, 3), done
    rows = tables.read(ten).rows
    assert {r["status"] for r in rows if r["whatsapp_message_id"].startswith("NEW-")} == {"sent"}
    assert [c["read"] for c in stored_counters(ten).values()] == [1]


def test_counters_stay_right_while_the_application_writes(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=400, campaigns=3))
    # the design's handler: contact and counter + 1 in one transaction, on rows of its own
    maker = worlds.Maker("live", "deployed")
    live = [dict(row, id=maker.new_id(), whatsapp_message_id="LIVE%d" % number)
            for number, row in enumerate(world.tables.rows[:300])]
    world.tables.rows += live
    world.save(tmp_path)
    db = world.create(server, "deployed")
    script = "".join(
        "BEGIN; UPDATE {0} SET status = 'delivered', delivered_at = now() WHERE id = '{1}';"
        " UPDATE {2} SET messages_delivered = messages_delivered + 1 WHERE id = '{3}'; COMMIT;\n"
        .format(db.naming.row, row["id"], db.naming.campaign, row["campaign_id"])
        for row in live)
    handler = threading.Thread(target=db.sql, args=(script,))
    handler.start()
    done = runs.run(db, "--apply", "--batch", "7", *OPEN, "a")
    handler.join()
    assert done.status in (0, 3), done
    rows = tables.read(db).rows
    for campaign, stored in stored_counters(db).items():
        counted = decide.counters([r for r in rows if r["campaign_id"] == campaign])
        assert {k: stored[k] for k in ("sent", "delivered", "read", "failed")} == {
            k: counted[k] for k in ("sent", "delivered", "read", "failed")}


def test_what_a_handler_commits_while_the_run_waits_for_it_is_counted(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=5))
    live = dict(world.tables.rows[0], id=worlds.Maker("live", "deployed").new_id(),
                whatsapp_message_id="LIVE")
    world.tables.rows.append(live)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    with db.session() as session:
        session.run("BEGIN; UPDATE {0} SET status = 'delivered', delivered_at = now()"
                    " WHERE id = '{1}'; UPDATE {2} SET messages_delivered = messages_delivered + 1;"
                    .format(db.naming.row, live["id"], db.naming.campaign))
        run = runs.start(db, "--apply", *OPEN, "a")
        eventually(lambda: waiting(db) == 1, "the run reaches the campaign's lock")
        session.run("COMMIT;")
        done = tool.finish(run)
    assert done.status == 0, done
    assert list(stored_counters(db).values()) == [
        {"sent": 6, "delivered": 6, "read": 5, "failed": 0, "total": 1}]


@pytest.mark.parametrize("name,status", [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("mode", ["--batch=3", "--single-transaction"])
def test_a_signal_rolls_back_the_batch_under_way(ten, runs, name, status, mode):
    before = ten.versions()
    rows = tables.read(ten).rows
    with ten.session() as session:
        held_by(ten, session)
        run = runs.start(ten, "--apply", mode, *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the run reaches the campaign's lock")
        run.send_signal(getattr(signal, name))
        done = tool.finish(run)
        session.run("ROLLBACK;")
    assert done.status == status, done
    assert done.said.strip()
    assert tables.read(ten).rows == rows
    assert before.keys() == ten.versions().keys()
    done = runs.run(ten, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert statuses(ten) == ["read"] * 10


def test_a_signal_that_comes_too_late_is_told_with_what_was_done(ten, runs):
    """In the last COMMIT, say: the report is whole, and yet the status is not that of success."""
    with pgproxy.Proxy(ten.server) as proxy:
        through = proxy.database(ten.name, "deployed")
        run = runs.start(through, "--apply", *OPEN, "a")
        last = pgproxy.Moment(pgproxy.COMMIT, 1, pgproxy.ANSWERED)
        proxy.watch(run, last, lambda: run.send_signal(signal.SIGTERM))
        done = tool.finish(run)
    assert proxy.struck and statuses(ten) == ["read"] * 10
    assert done.status == 143 and b"10 corrections" in done.out, done
    assert "interrupted" in done.said and "10 correction(s) had been committed" in done.said


NOTHING = "nothing had been committed: "
TWO = "4 correction(s) had been committed in 2 transaction(s), with the counters of 1 campaign(s): "


@pytest.mark.parametrize("moment,told,written", [
    (pgproxy.Moment(pgproxy.REQUEST, 6, pgproxy.ANSWERED), NOTHING, 0),
    (pgproxy.Moment(pgproxy.COMMIT, 2, pgproxy.AFTER), TWO, 4)])
@pytest.mark.parametrize("how", ["terminated", "interrupted"])
def test_a_run_that_is_ended_tells_what_it_had_committed(ten, runs, how, moment, told, written):
    def strike():
        if how == "interrupted":
            run.send_signal(signal.SIGINT)
        else:
            ten.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = '%s' AND pid <> pg_backend_pid()" % ten.name)
        return True

    with pgproxy.Proxy(ten.server) as proxy:
        through = proxy.database(ten.name, "deployed")
        run = runs.start(through, "--apply", "--batch", "2", *OPEN, "a")
        proxy.watch(run, moment, strike)
        done = tool.finish(run)
    assert done.status == (130 if how == "interrupted" else 4), done
    assert "replay: error: " + told in done.said, done
    assert statuses(ten).count("read") == written


@pytest.mark.parametrize("number", [1, 2, 8])
@pytest.mark.parametrize("place", [pgproxy.WITHIN, pgproxy.AFTER])
def test_a_lost_connection_is_told_plainly_and_once(ten, runs, number, place):
    """libpq's own words go on over several lines, with guesses and what failed after it."""
    with pgproxy.Proxy(ten.server) as proxy:
        through = proxy.database(ten.name, "deployed")
        run = runs.start(through, "--apply", *OPEN, "a")
        proxy.watch(run, pgproxy.Moment(pgproxy.REQUEST, number, place), proxy.cut)
        done = tool.finish(run)
    assert proxy.struck and done.status == 4, done
    reason, = done.lines
    assert "connection" in reason, done
    assert "probably" not in reason and "invalid socket" not in reason, done


def test_a_batch_in_doubt_is_not_told_as_not_committed(ten, runs):
    with pgproxy.Proxy(ten.server) as proxy:
        through = proxy.database(ten.name, "deployed")
        run = runs.start(through, "--apply", *OPEN, "a")
        proxy.watch(run, pgproxy.Moment(pgproxy.COMMIT, 1, pgproxy.ANSWERED), proxy.cut)
        done = tool.finish(run)
    assert done.status == 4 and statuses(ten) == ["read"] * 10, done
    assert "nothing had been committed before: " in done.said
    assert "not known whether this batch of 10 correction(s) is committed" in done.said


def test_a_pasted_statement_timeout_does_not_cut_the_run(ten, runs, tmp_path):
    env = tool.environment(tmp_path, PGOPTIONS="-c statement_timeout=1")
    done = runs.run(ten, "--apply", *OPEN, "a", env=env)
    assert done.status == 0, done
    assert statuses(ten) == ["read"] * 10


def test_libpq_environment_is_enough_to_find_the_database(ten, runs, tmp_path):
    env = tool.environment(tmp_path, PGHOST=str(ten.server.home), PGDATABASE=ten.name,
                           PGUSER="postgres")
    done = tool.run("replay", OPEN + ["a"], tmp_path, env=env)
    assert done.status == 1, done


def test_a_campaign_that_would_contradict_itself_is_left_alone(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=6, campaigns=2))
    world.tables.rows[0].update(status="pending", sent_at=None,
                                delivered_at=SENT, read_at=SENT)
    for row in world.tables.rows[2::2]:
        row.update(status="sending", sent_at=None, whatsapp_message_id=None)
    broken, sound = (c["id"] for c in world.tables.campaigns)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    before = tables.read(db)
    done = runs.run(db, "--all", "--apply", *OPEN, "a")
    assert done.status == 3, done
    assert broken in done.said or "Natal" in done.said
    after = tables.read(db)
    assert [r for r in after.rows if r["campaign_id"] == broken] == [
        r for r in before.rows if r["campaign_id"] == broken]
    assert {r["status"] for r in after.rows if r["campaign_id"] == sound} == {"read"}


def test_rows_that_are_never_corrected_count_all_the_same(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["pending", "queued", "sending"]))
    world.tables.rows[0].update(sent_at=None, delivered_at=SENT)
    world.tables.rows[1].update(read_at=SENT)
    world.tables.rows[2].update(whatsapp_message_id=None)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    before = tables.read(db).rows
    done = runs.run(db, "--all", "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert tables.read(db).rows == before
    assert list(stored_counters(db).values()) == [
        {"sent": 2, "delivered": 1, "read": 1, "failed": 0, "total": 1}]


def test_requeued_and_unknown_rows_are_never_corrected(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["pending", "queued", "sending", "sent"]))
    world.save(tmp_path)
    db = world.create(server, "deployed")
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert statuses(db) == ["pending", "queued", "read", "read"]
    assert report["messages"]["requeued"] == 1
    assert any("queued" in warning for warning in report["warnings"])


def test_old_evidence_does_not_touch_a_row_that_lost_its_message_id(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["sent", "sent", "sent"]))
    world.save(tmp_path)
    world.tables.rows[0]["whatsapp_message_id"] = None
    world.tables.rows[1]["whatsapp_message_id"] = ""
    db = world.create(server, "deployed")
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 0, done
    assert sorted(r["status"] for r in tables.read(db).rows) == ["read", "sent", "sent"]
    assert report["messages"]["not_campaign_message"] == 2


def test_instances_of_other_tenants_do_not_speak_for_a_row(server, runs, tmp_path):
    world = worlds.single("sent", [("READ", READ_LATER)], sent_at=SENT)
    stranger = dict(world.tables.instances[0])
    other = worlds.Maker("other", "deployed").new_id()
    world.tenants.append(other)
    world.tables.instances = [dict(stranger, tenant_id=other)]
    world.save(tmp_path)
    db = world.create(server, "deployed")
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 3, done
    assert report["messages"]["instance_mismatch"] == 1
    assert report["instance_mismatches"] == [{"instance": "loja", "count": 1}]
    assert tables.read(db).rows[0]["status"] == "sent"
    done = runs.run(db, "--apply", "--any-instance", *OPEN, "a")
    assert done.status == 0, done
    assert tables.read(db).rows[0]["status"] == "read"


def test_rows_are_exactly_as_decided_after_an_archive_without_times(server, runs, tmp_path):
    world = worlds.single("sent", [("READ", None)], sent_at=SENT)
    world.save(tmp_path)
    for options, moment in (([], worlds.START * 1000000), (["--approximate-times", "null"], None)):
        db = world.create(server, "deployed")
        row = dict(tables.read(db).rows[0], status="read", read_at=moment, delivered_at=moment)
        done = runs.run(db, "--apply", *OPEN, *options, "a")
        assert done.status == 0, done
        assert_rows(db, {row["id"]: row})


def test_the_second_of_two_archives_is_not_needed_twice(ten, runs, tmp_path):
    archives.save(tmp_path / "b", (tmp_path / "a").read_bytes(), worlds.START)
    done = runs.run(ten, "--apply", *OPEN, "a")
    assert done.status == 0
    done, report = runs.report(ten, "--apply", *OPEN, "a", "b")
    assert done.status == 0
    assert report["messages"]["already_processed"] == 10
