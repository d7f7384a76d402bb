"""How a writing run spaces its work: batches, standbys, counting once more, verifying."""

import re
import time

import pytest

import pg
import serverlog
import tool
import world as worlds
from runs import OPEN, stored_counters
from test_apply import eventually, sightings, statuses


def many(server, directory, count, campaigns=1):
    world = sightings(worlds.campaign_of(["sent"], count=count, campaigns=campaigns))
    world.save(directory)
    return world.create(server, "deployed")


def batches(db):
    """How many rows each transaction wrote, in their order."""
    return [int(n) for n in db.sql(
        "SELECT count(*) FROM campaigns_contact WHERE status = 'read'"
        " GROUP BY xmin::text::bigint ORDER BY xmin::text::bigint").split()]


# ---- batches --------------------------------------------------------------------------

def test_batches_begin_small_and_grow_to_what_was_asked(server, runs, tmp_path):
    db = many(server, tmp_path, 9000)
    assert runs.run(db, "--apply", "--batch", "3000", *OPEN, "a").status == 0
    sizes = batches(db)
    assert sizes[0] == 1000 and max(sizes) <= 3000 and sum(sizes) == 9000
    assert len(set(sizes)) > 1, "on any machine a thousand take more than half a second or less"


def test_slow_batches_become_small(server, runs, tmp_path):
    """A trigger makes each row take 2 ms: half a second is about 250 of them."""
    db = many(server, tmp_path, 3000)
    db.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
           " PERFORM pg_sleep(0.002); RETURN NEW; END';"
           "CREATE TRIGGER slow BEFORE UPDATE ON campaigns_contact FOR EACH ROW"
           " EXECUTE FUNCTION slow()")
    assert runs.run(db, "--apply", *OPEN, "a").status == 0
    sizes = batches(db)
    assert sum(sizes) == 3000 and max(sizes[3:-1]) <= 500


@pytest.mark.parametrize("stale,apart", [(1200, True), (50, False)])
def test_a_large_campaign_is_counted_while_no_row_is_locked(watched, runs, tmp_path, stale, apart):
    """Unless there is so little to correct that nobody would notice."""
    db = many(watched, tmp_path, stale)
    db.sql("SET session_replication_role = replica;"
           "INSERT INTO campaigns_contact (id, status, sent_at, delivered_at, read_at, retry_count,"
           " created_at, updated_at, campaign_id, contact_id)"
           " SELECT gen_random_uuid(), 'read', now(), now(), now(), 0, now(), now(), p.id,"
           " gen_random_uuid() FROM campaigns_campaign p, generate_series(1, 100000)")
    logged = serverlog.Log(watched)
    env = tool.environment(tmp_path, PGOPTIONS=serverlog.STATEMENTS)
    done = runs.run(db, "--apply", *OPEN, "a", env=env)
    assert done.status == 0, done
    written = [(t.first("SKIP LOCKED") is not None, t.first("GROUP BY campaign_id") is not None)
               for t in logged.transactions("replay") if t.first("FOR NO KEY UPDATE")]
    if apart:
        assert written == [(False, True), (True, False), (True, False), (False, True)]
    else:
        assert written == [(True, True)]
    assert [c["read"] for c in stored_counters(db).values()] == [100000 + stale]


# ---- counting once more -----------------------------------------------------------------

def test_an_old_count_that_a_handler_puts_back_is_counted_once_more(server, runs, tmp_path):
    db = many(server, tmp_path, 6, campaigns=3)
    child = runs.start(db, "--apply", "--recheck", "2", "-v", *OPEN, "a")
    eventually(lambda: set(statuses(db)) == {"read"}, "all is written")
    eventually(lambda: all(c["read"] == 2 for c in stored_counters(db).values()), "and counted")
    db.sql("UPDATE campaigns_campaign SET messages_read = 1, messages_delivered = 0")
    assert child.poll() is None
    done = tool.finish(child)
    assert done.status == 0 and "once more" in done.said, done
    assert all((c["read"], c["delivered"]) == (2, 2) for c in stored_counters(db).values())


def test_nothing_written_is_nothing_to_count_once_more(server, runs, tmp_path):
    db = many(server, tmp_path, 3)
    assert runs.run(db, "--apply", *OPEN, "a").status == 0
    since = time.monotonic()
    assert runs.run(db, "--apply", "--recheck", "30", *OPEN, "a").status == 0
    assert time.monotonic() - since < 10


# ---- verifying --------------------------------------------------------------------------

def test_a_verified_run_says_so(server, runs, tmp_path):
    db = many(server, tmp_path, 5, campaigns=2)
    done = runs.run(db, "--apply", "--verify", *OPEN, "a")
    assert done.status == 0, done
    assert b"verified: decided again, and nothing is left" in done.out
    report = runs.report(db, "--apply", "--verify", *OPEN, "a")[1]
    assert report["messages"]["already_processed"] == 5


@pytest.mark.parametrize("damage,told", [
    ("UPDATE campaigns_contact SET status = 'sent' WHERE whatsapp_message_id = 'M3'",
     "1 correction(s) and the counters of 0 campaign(s)"),
    ("UPDATE campaigns_campaign SET messages_read = 1",
     "0 correction(s) and the counters of 1 campaign(s)")])
def test_what_is_left_in_the_end_fails_loudly(server, runs, tmp_path, damage, told):
    """While it waits to count once more somebody writes an old state back."""
    db = many(server, tmp_path, 5)
    db.sql("UPDATE campaigns_campaign SET name = 'Só esta'")
    # what is counted once more would hide damage to the counters: it comes with each COMMIT
    trigger = "messages_read" in damage
    if trigger:
        db.sql("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN %s"
               " WHERE messages_read <> 1; RETURN NULL; END';"
               "CREATE CONSTRAINT TRIGGER again AFTER UPDATE ON campaigns_campaign"
               " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again()"
               % damage.replace("campaigns_", "public.campaigns_"))
    child = runs.start(db, "--apply", "--verify", "--recheck", "2", *OPEN, "a")
    eventually(lambda: set(statuses(db)) == {"read"}, "all is written")
    if not trigger:
        db.sql(damage)
    done = tool.finish(child)
    assert done.status == 4 and told in done.said, done
    text = done.out.decode()
    assert ": failed\n" in text.splitlines(True)[0]
    assert "verification failed" in text and re.search("Só esta", text)
    assert "5 corrections and 1 campaign's counters written" in text
    assert re.search(r"5 correction\(s\) had been committed in \d+ transaction\(s\), with the"
                     r" counters of 1 campaign\(s\): verification failed", done.said), done


def test_a_campaign_that_is_rightly_left_alone_does_not_fail_it(server, runs, tmp_path):
    """Its pending rows count as read but not as sent; it was named, and is no news."""
    db = many(server, tmp_path, 6, campaigns=2)
    db.sql("UPDATE campaigns_contact SET status = 'pending', sent_at = NULL, read_at = now()"
           " WHERE whatsapp_message_id IN ('M0', 'M2', 'M4')")
    done, report = runs.report(db, "--apply", "--verify", *OPEN, "a")
    assert done.status == 3, done
    assert sum("left alone" in w for w in report["warnings"]) == 1
    assert report["messages"]["updated"] == 3


def test_a_report_that_cannot_be_written_is_known_before_anything_is(server, runs, tmp_path):
    db = many(server, tmp_path, 3)
    for target in (tmp_path / "missing" / "report", tmp_path):
        done = runs.run(db, "--apply", "-o", target, *OPEN, "a")
        assert done.status != 0 and str(target) in done.said, done
        assert statuses(db) == ["sent"] * 3


# ---- standbys ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pair():
    """A server and its hot standby."""
    primary = pg.Server(wal_level="replica", max_wal_senders="4")
    standby = pg.Server(wal_level="replica", max_wal_senders="4", hot_standby="on")
    try:
        primary.start()
        standby.start_standby_of(primary)
        yield primary, standby
    finally:
        standby.stop()
        primary.stop()


def test_a_run_waits_for_a_standby_that_does_not_follow(pair, runs, tmp_path):
    primary, standby = pair
    db = many(primary, tmp_path, 3000)
    behind = standby.database("postgres")
    behind.sql("SELECT pg_wal_replay_pause()")
    child = runs.start(db, "--apply", "--batch", "500", "--pause", "400", "--max-lag",
                       "1", *OPEN, "a")
    try:
        time.sleep(3)
        assert child.poll() is None
        written = statuses(db).count("read")
        assert written < 3000
        time.sleep(0.7)
        assert statuses(db).count("read") == written, "it goes on while the standby does not"
    finally:
        behind.sql("SELECT pg_wal_replay_resume()")
    done = tool.finish(child)
    assert done.status == 0 and "standby" in done.said, done
    assert set(statuses(db)) == {"read"}


def test_a_standby_that_follows_costs_nothing(pair, runs, tmp_path):
    primary, _ = pair
    db = many(primary, tmp_path, 3000)
    done = runs.run(db, "--apply", "--batch", "500", "--max-lag", "5", *OPEN, "a")
    assert done.status == 0 and "standby" not in done.said, done


def test_a_role_that_cannot_see_standbys_is_told(pair, runs, tmp_path):
    primary, _ = pair
    db = many(primary, tmp_path, 3)
    db.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO reader")
    done = runs.run(db, "--apply", "--max-lag", "5", *OPEN, "a", user="reader")
    assert done.status == 2 and "pg_read_all_stats" in done.said, done
    db.sql("GRANT pg_read_all_stats TO reader")
    assert runs.run(db, "--apply", "--max-lag", "5", *OPEN, "a", user="reader").status == 0


def test_a_dry_run_works_on_the_standby(pair, runs, tmp_path):
    primary, standby = pair
    db = many(primary, tmp_path, 30)
    there = standby.database(db.name, "deployed")

    def follows():
        try:
            return len(statuses(there)) == 30
        except RuntimeError:
            return False
    eventually(follows, "the standby has the database")
    done, report = runs.report(there, *OPEN, "a")
    assert done.status == 1 and report["messages"]["updated"] == 30, done


def test_a_standby_cannot_be_written(pair, runs, tmp_path):
    primary, standby = pair
    db = many(primary, tmp_path, 3)
    there = standby.database(db.name, "deployed")

    def follows():
        try:
            return len(statuses(there)) == 3
        except RuntimeError:
            return False
    eventually(follows, "the standby has the database")
    done = runs.run(there, "--apply", *OPEN, "a")
    assert done.status == 4 and len(done.lines) == 1, done
    assert "nothing had been committed" in done.said and "read-only" in done.said
    done = runs.run(db, "--apply", *OPEN, "a")
    assert done.status == 0 and set(statuses(db)) == {"read"}, done
