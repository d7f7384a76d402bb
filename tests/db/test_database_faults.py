"""A database that misbehaves: what is told, with which status, and that nothing is half done."""

import re
import socket
import struct
import subprocess

import pytest

import pg
import pgproxy
import tables
import tool
import world as worlds
from oracle import decide
from runs import OPEN, Runs, stored_counters
from test_apply import eventually, held_by, statuses, waiting

READ_LATER = "2025-10-20T11:00:00.123456Z"  # what a column of whole seconds would not hold
ROW, CAMPAIGN, LOG = "campaigns_contact", "campaigns_campaign", "campaigns_log"


def prepare(server, directory):
    """A campaign of ten sent rows that were all read."""
    world = worlds.campaign_of(["sent"], count=10)
    world.tables.campaigns[0]["sent"] = 10
    world.archives = {"a": b"".join(
        worlds.line("loja", row["whatsapp_message_id"], "READ", READ_LATER)
        for row in world.tables.rows)}
    world.save(directory)
    return world.create(server, "deployed")


@pytest.fixture
def ten(server, tmp_path):
    return prepare(server, tmp_path)


def assert_counters_are_the_rows(db):
    rows = tables.read(db).rows
    for id, stored in stored_counters(db).items():
        of = [r for r in rows if r["campaign_id"] == id]
        assert stored == dict(decide.counters(of), total=stored["total"])


def assert_healed(runs, db):
    """A run that nothing hinders now corrects all that is left, and the next finds nothing."""
    done = runs.run(db, "--apply", "--verify", *OPEN, "a")
    assert done.status == 0, done
    assert statuses(db) == ["read"] * 10
    assert_counters_are_the_rows(db)
    assert runs.run(db, *OPEN, "a").status == 0


def one_line(done):
    """The one line that says what failed; beside it may stand only how to undo what was written."""
    assert done.lines[0].startswith("replay: error: "), done
    assert all("reconcile revert" in line for line in done.lines[1:]), done
    return done.lines[0]


# ---- a schema that is not the application's ------------------------------------------------

DRIFT = {
    "ALTER TABLE campaigns_contact ALTER status TYPE integer USING 1":
        ["status", ROW, "integer"],
    "ALTER TABLE campaigns_contact ALTER read_at TYPE timestamp":
        ["read_at", ROW, "timestamp without time zone"],
    "CREATE DOMAIN word AS text; ALTER TABLE campaigns_contact ALTER status TYPE word":
        ["status", ROW, "word"],
    "ALTER TABLE campaigns_contact ALTER status TYPE varchar(8)":
        ["status", ROW, "character varying(8)", "too short"],
    "ALTER TABLE campaigns_contact ALTER failed_at TYPE timestamptz(3)":
        ["failed_at", ROW, "timestamp(3) with time zone", "microseconds"],
    "ALTER TABLE campaigns_campaign ALTER messages_read TYPE numeric":
        ["messages_read", CAMPAIGN, "numeric"],
    "ALTER TABLE campaigns_contact RENAME TO c; CREATE VIEW campaigns_contact AS SELECT * FROM c":
        [ROW, "not a table"],
    "ALTER TABLE campaigns_campaign RENAME TO c;"
    " CREATE MATERIALIZED VIEW campaigns_campaign AS SELECT * FROM c":
        [CAMPAIGN, "not a table"],
    "CREATE SCHEMA elsewhere; ALTER TABLE campaigns_contact SET SCHEMA elsewhere":
        [ROW, "search_path"],
}


@pytest.mark.parametrize("change", DRIFT)
def test_what_does_not_fit_the_tool_is_named_before_anything_is_done(ten, runs, change):
    ten.sql(change)
    for arguments in ([], ["--apply"]):
        done = runs.run(ten, *arguments, *OPEN, "a")
        assert done.status == 2, done
        line = one_line(done)
        assert all(word in line for word in DRIFT[change]), line


@pytest.mark.parametrize("type", ["timestamptz(6)", "timestamptz"])
def test_columns_that_hold_all_that_is_written_will_do(ten, runs, type):
    ten.sql("ALTER TABLE campaigns_contact ALTER read_at TYPE %s,"
            " ALTER status TYPE varchar(9)" % type)
    assert_healed(runs, ten)


# ---- a database that refuses what is written -----------------------------------------------

def trigger(table, body):
    return ("CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN %s END';"
            " CREATE TRIGGER odd BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION odd()"
            % (body.replace("'", "''"), table))


RAISE = "IF NEW.whatsapp_message_id = 'M5' THEN RAISE EXCEPTION 'no such way'; END IF; RETURN NEW;"
SECOND = "NEW.read_at := date_trunc('second', NEW.read_at); RETURN NEW;"
NO_TRIGGER = "DROP FUNCTION odd CASCADE"

# what is done to the database -> what undoes it, and the words of the error
REFUSALS = {
    "ALTER TABLE campaigns_contact ADD CONSTRAINT odd CHECK"
    " (whatsapp_message_id <> 'M5' OR status <> 'read')":
        ("ALTER TABLE campaigns_contact DROP CONSTRAINT odd", [ROW, "odd"]),
    trigger(ROW, RAISE): (NO_TRIGGER, ["write rows", "no such way", "odd()"]),
    trigger(ROW, "IF NEW.whatsapp_message_id = 'M5' THEN NEW.status := OLD.status; END IF;"
                 " RETURN NEW;"): (NO_TRIGGER, [ROW, "trigger"]),
    trigger(ROW, SECOND): (NO_TRIGGER, [ROW, "trigger"]),
    trigger(LOG, "RAISE EXCEPTION 'no such way';"): (NO_TRIGGER, ["log rows", "no such way"]),
    trigger(CAMPAIGN, "RAISE EXCEPTION 'no such way';"): (NO_TRIGGER, ["campaign", "no such way"]),
    trigger(CAMPAIGN, "RETURN NULL;"): (NO_TRIGGER, ["counters", "trigger"]),
    trigger(CAMPAIGN, "NEW.messages_read := 0; RETURN NEW;"):
        (NO_TRIGGER, ["counters", "trigger"]),
    "ALTER TABLE campaigns_campaign ADD CONSTRAINT odd CHECK (messages_read < 5)":
        ("ALTER TABLE campaigns_campaign DROP CONSTRAINT odd", [CAMPAIGN, "odd"]),
    "ALTER TABLE campaigns_log ADD odd integer NOT NULL":
        ("ALTER TABLE campaigns_log DROP odd", [LOG, "odd"]),
    "CREATE RULE odd AS ON UPDATE TO campaigns_contact DO INSTEAD NOTHING":
        ("DROP RULE odd ON campaigns_contact", [ROW]),
    "ALTER TABLE campaigns_contact DROP failed_at;"
    " ALTER TABLE campaigns_contact ADD failed_at timestamptz GENERATED ALWAYS AS (NULL) STORED":
        ("ALTER TABLE campaigns_contact ALTER failed_at DROP EXPRESSION", ["failed_at"]),
}


@pytest.mark.parametrize("change,single", [(c, False) for c in REFUSALS] + [
    (c, True) for c in list(REFUSALS)[:2]])
def test_what_the_database_refuses_is_told_and_taken_back(ten, runs, change, single):
    heal, words = REFUSALS[change]
    ten.sql(change)
    assert runs.run(ten, *OPEN, "a").status == 1
    done = runs.run(ten, "--apply", *(["--single-transaction"] if single else ["--batch", "2"]),
                    *OPEN, "a")
    assert done.status == 4, done
    line = one_line(done)
    assert all(word in line for word in words), line
    written = statuses(ten).count("read")
    told = re.search(r"error: (\d+) correction\(s\) had been committed", line)
    assert (int(told.group(1)) if told else 0) == written < 10
    assert told or "nothing had been committed: " in line
    assert written == 0 or not single
    assert int(ten.sql("SELECT count(*) FROM campaigns_log WHERE log_type = 'message_read'")) == \
        written
    assert_counters_are_the_rows(ten)
    ten.sql(heal)
    assert_healed(runs, ten)


def test_a_foreign_key_that_fails_at_commit_takes_its_batch_back(ten, runs):
    strays = "whatsapp_message_id = 'M6'"
    ten.sql("SET session_replication_role = replica; UPDATE campaigns_contact SET contact_id ="
            " gen_random_uuid() WHERE " + strays)
    done = runs.run(ten, "--apply", "--batch", "2", *OPEN, "a")
    assert done.status == 4 and "campaigns_log_contact_id" in one_line(done), done
    assert "committed" in done.said and "not known" not in done.said
    written = statuses(ten).count("read")
    assert written < 10 and ten.sql(
        "SELECT status FROM campaigns_contact WHERE " + strays).strip() == "sent"
    assert_counters_are_the_rows(ten)
    ten.sql("UPDATE campaigns_contact SET contact_id = id WHERE " + strays)
    assert_healed(runs, ten)


def test_rows_that_a_trigger_keeps_as_they_were_are_conflicts(ten, runs):
    ten.sql(trigger(ROW, "IF NEW.whatsapp_message_id IN ('M3', 'M4') THEN RETURN NULL; END IF;"
                         " RETURN NEW;"))
    done, report = runs.report(ten, "--apply", *OPEN, "a")
    assert done.status == 3 and report["messages"]["conflicts"] == 2, done
    assert statuses(ten).count("read") == 8
    assert_counters_are_the_rows(ten)
    ten.sql(NO_TRIGGER)
    assert_healed(runs, ten)


def test_no_error_shows_whose_row_it_was(ten, runs):
    """The server's detail is the whole row, names and telephone numbers included."""
    ten.sql("UPDATE contacts_contact SET name = 'Fulana', phone = '551198765' || phone;"
            " ALTER TABLE campaigns_log ADD CONSTRAINT odd CHECK (log_type <> 'message_read')")
    done = runs.run(ten, "--apply", "-v", *OPEN, "a")
    assert done.status == 4 and "odd" in done.said, done
    assert "Fulana" not in done.said and "551198765" not in done.said


# ---- rows that a policy would hide ---------------------------------------------------------

@pytest.mark.parametrize("table", [ROW, CAMPAIGN, "notifications_whatsapp_instance"])
def test_rows_that_a_policy_would_hide_are_an_error_and_not_left_out(ten, runs, table):
    ten.sql("ALTER TABLE %s ENABLE ROW LEVEL SECURITY; CREATE POLICY odd ON %s USING (true)"
            % (table, table))
    done = runs.run(ten, *OPEN, "a", user=pg.READER)
    assert done.status == 4, done
    assert table in one_line(done) and "row-level security" in done.said


# ---- settings of a role or a database ------------------------------------------------------

STRANGE = [
    "client_encoding = 'LATIN1'", '"DateStyle" = \'SQL, DMY\'', '"TimeZone" = \'Asia/Kolkata\'',
    "standard_conforming_strings = off", "bytea_output = 'escape'", "extra_float_digits = -15",
    '"IntervalStyle" = \'sql_standard\'', "statement_timeout = '200ms'", "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'", "array_nulls = off", "row_security = on",
    "transform_null_equals = on", "quote_all_identifiers = on", "enable_seqscan = off",
    "default_transaction_deferrable = on", "default_transaction_isolation = 'serializable'",
    "client_min_messages = 'debug5'", "xmlbinary = 'hex'", "jit_above_cost = 0",
    "search_path = odd, public, pg_catalog"]
# found before the server's own by whoever does not say which is meant
SHADOWS = """CREATE SCHEMA odd;
    CREATE FUNCTION odd.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
    CREATE FUNCTION odd.pg_backend_pid() RETURNS integer LANGUAGE sql AS 'SELECT 1';
    CREATE TABLE odd.pg_class (relname text); CREATE TABLE odd.reconcile_batch (n integer);"""


def test_no_setting_of_a_role_or_database_changes_what_is_written(server, tmp_path):
    results = []
    for strange in (False, True):
        directory = tmp_path / str(strange)
        directory.mkdir()
        world = worlds.Maker("settings", "deployed").make()
        names = world.save(directory)
        db = world.create(server, "deployed")
        if strange:
            db.sql(SHADOWS)
            server.database("postgres").sql(";".join(
                "ALTER DATABASE %s SET %s" % (db.name, s) for s in STRANGE))
        runs = Runs(directory)
        dry, found = runs.report(db, "--all", "--details", "--settle", "0", *OPEN, *names)
        done, report = runs.report(db, "--all", "--apply", "--settle", "0", *OPEN, *names)
        assert (dry.status, done.status) in ((1, 0), (3, 3)), done
        assert done.lines == results[0][3] if strange else True
        server.database("postgres").sql("ALTER DATABASE %s RESET ALL" % db.name)
        results.append((found["corrections"], report["messages"], tables.read(db).rows, done.lines))
    assert results[0][0] and results[0] == results[1]


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_stricter_isolation_by_default_does_not_lose_who_writes_meanwhile(ten, runs, level):
    """With a snapshot taken at its beginning the batch would fail, or count without that row."""
    ten.sql("ALTER DATABASE %s SET default_transaction_isolation = '%s'" % (ten.name, level))
    with ten.session() as handler:
        handler.run("BEGIN; SELECT id FROM campaigns_campaign FOR UPDATE;")
        child = runs.start(ten, "--apply", *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the run waits")
        handler.run("UPDATE campaigns_campaign SET messages_failed = 7; COMMIT;")
        done = tool.finish(child)
    assert done.status == 0, done
    assert statuses(ten) == ["read"] * 10
    assert_counters_are_the_rows(ten)


def test_who_locks_in_another_order_ends_in_no_deadlock_for_good(watched, tmp_path):
    """One of the two is ended by the server: the handler is told, the run begins its batch anew."""
    ten, runs = prepare(watched, tmp_path), Runs(tmp_path)
    with ten.session() as handler:
        held_by(ten, handler)
        child = runs.start(ten, "--apply", *OPEN, "a")
        eventually(lambda: waiting(ten) == 1, "the run waits")
        handler.run("\\set ON_ERROR_STOP off\n"
                    "UPDATE campaigns_contact SET retry_count = 1 WHERE whatsapp_message_id = 'M0';"
                    "\nCOMMIT;")
        done = tool.finish(child)
    assert done.status == 0, done
    assert statuses(ten) == ["read"] * 10
    assert_counters_are_the_rows(ten)


# ---- no connection, or another than it was -------------------------------------------------

def failing(directory, conninfo, **env):
    done = tool.run("replay", ["-d", conninfo] + OPEN + ["a"], directory,
                    env=tool.environment(directory, **env))
    assert done.status == 4 and done.out == b"", done
    assert one_line(done).startswith("replay: error: could not connect to the database: ")
    return done.lines[0]


def test_what_keeps_from_connecting_is_told(ten, tmp_path):
    place = "host=%s " % ten.server.home
    assert '"nowhere" does not exist' in failing(tmp_path, place + "user=postgres dbname=nowhere")
    assert '"nobody" does not exist' in failing(tmp_path, place + "user=nobody dbname=" + ten.name)
    assert "No such file" in failing(tmp_path, "host=%s dbname=x" % tmp_path)
    admin = ten.server.database("postgres")
    admin.sql("ALTER DATABASE %s CONNECTION LIMIT 0" % ten.name)
    assert "too many connections" in failing(tmp_path, ten.conninfo(pg.READER))
    admin.sql("ALTER DATABASE %s CONNECTION LIMIT -1 ALLOW_CONNECTIONS false" % ten.name)
    assert "not currently accepting" in failing(tmp_path, ten.conninfo(pg.READER))


def test_a_wrong_password_is_told_and_not_shown(ten, tmp_path):
    rules = ten.server.home / "data" / "pg_hba.conf"
    kept = rules.read_text()
    admin = ten.server.database("postgres")
    admin.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'")

    def refused():
        return subprocess.run([pg.find_bin("psql"), "-w", "-d", ten.conninfo("guarded")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode
    try:
        rules.write_text("local all guarded scram-sha-256\n" + kept)
        admin.sql("SELECT pg_reload_conf()")
        eventually(refused, "the server reads its rules when it gets to it")
        line = failing(tmp_path, ten.conninfo("guarded"), PGPASSWORD="geheimnis")
        assert "guarded" in line and "geheimnis" not in line
        assert "password" in failing(tmp_path, ten.conninfo("guarded"))
    finally:
        rules.write_text(kept)
        admin.sql("SELECT pg_reload_conf(); DROP ROLE guarded")


class Old(pgproxy.Proxy):
    """The server says that it is of another version."""

    def _receive(self, pair, s):
        data = super()._receive(pair, s)
        return re.sub(rb"(server_version\0)\d\d", rb"\g<1>12", data) if s is pair.server else data


def test_a_server_that_is_too_old_is_refused(ten, runs):
    with Old(ten.server) as proxy:
        run = runs.start(proxy.database(ten.name, "deployed"), "--apply", *OPEN, "a")
        proxy.watch(run)
        done = tool.finish(run)
    assert done.status == 2 and "PostgreSQL 12" in one_line(done), done
    assert statuses(ten) == ["sent"] * 10


def read_until_ready(s):
    data = b""
    while not data.endswith(b"Z\0\0\0\x05I"):
        piece = s.recv(65536)
        assert piece, data
        data += piece


def ask(s, sql):
    s.sendall(b"Q" + struct.pack("!I", len(sql) + 5) + sql + b"\0")
    read_until_ready(s)


def moved(proxy, db):
    """As a pooler in transaction mode does: the client goes on with another session."""
    pair = proxy.pairs[0]
    start = struct.pack("!I", 196608) + b"user\0postgres\0database\0%s\0\0" % db.name.encode()
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(db.server.home / ".s.PGSQL.5432"))
    other.sendall(struct.pack("!I", len(start) + 4) + start)
    read_until_ready(other)
    pair.server.close()
    pair.server = other


def cleaned(proxy, _):
    """As a pooler does before it lends a session to the next."""
    ask(proxy.pairs[0].server, b"DISCARD ALL")


@pytest.mark.parametrize("change,words", [(moved, "moves between servers"),
                                          (cleaned, "lock of writing runs")])
def test_a_session_that_is_not_ours_any_more_is_not_written_in(ten, runs, change, words):
    def strike():
        change(proxy, ten)
        return True

    with pgproxy.Proxy(ten.server) as proxy:
        through = proxy.database(ten.name, "deployed")
        run = runs.start(through, "--apply", "--batch", "2", *OPEN, "a")
        proxy.watch(run, pgproxy.Moment(pgproxy.COMMIT, 2, pgproxy.AFTER), strike)
        done = tool.finish(run)
    assert proxy.struck and done.status == 4 and words in one_line(done), done
    written = statuses(ten).count("read")
    assert 0 < written < 10 and "%d correction(s) had been committed" % written in done.said
    assert_counters_are_the_rows(ten)
    assert_healed(runs, ten)


# ---- encodings -----------------------------------------------------------------------------

def test_bytes_of_no_encoding_are_no_hindrance(server, runs, tmp_path):
    """A database of SQL_ASCII holds what its clients sent, whatever they took it for."""
    admin = server.database("postgres")
    admin.sql("CREATE DATABASE odd_bytes ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'"
              " TEMPLATE template0")
    server.alive.append("odd_bytes")
    db = server.database("odd_bytes", "deployed")
    db.sql(pg.schema("deployed"))
    world = worlds.campaign_of(["sent"], count=10)
    world.archives = {"a": b"".join(worlds.line("loja", "M%d" % n, "READ", READ_LATER)
                                    for n in range(10)) +
                      worlds.line("loja", "M\u00e9", "READ", READ_LATER)}
    world.save(tmp_path)
    db.sql(tables.write(db.naming, world.tenants, world.tables))
    db.sql("UPDATE campaigns_campaign SET name = E'Verão caf\\xe9 \\xff';"
           " UPDATE contacts_contact SET name = E'Jo\\xe3o';"
           " UPDATE campaigns_contact SET error_message = E'n\\xe3o' WHERE"
           " whatsapp_message_id IN ('M1', 'M2')")
    for form in ("json", "csv", "html", "text"):
        done = runs.run(db, "--details", "--format", form, *OPEN, "a")
        assert done.status == 1 and done.out.decode("utf-8"), done
    done = runs.run(db, "--apply", "--verify", *OPEN, "a")
    assert done.status == 0, done
    assert db.sql("SELECT count(*) FROM campaigns_contact WHERE status = 'read'").strip() == "10"
    kept = "SELECT count(*) FROM campaigns_contact WHERE error_message = E'n\\xe3o'"
    logged = "SELECT count(*) FROM campaigns_log WHERE message LIKE E'%Jo\\xe3o'"
    assert db.sql(kept).strip() == "2" and db.sql(logged).strip() == "20"
