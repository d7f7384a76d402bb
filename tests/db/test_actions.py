"""Plans and journals: what --plan-out writes, reconcile apply carries out and revert undoes."""

import gzip
import json
import os
import random
import shlex
import signal
import stat
import subprocess
import time

import pytest

import pg
import tables
import tool
import world as worlds
from oracle import decide
from runs import OPEN, Runs, at_once, stored_counters
from test_poll import Shop, polls  # noqa: F401
from test_roles import READ, WRITE, grant

SENT = 1760954400 * 1000000  # 2025-10-20 10:00 UTC
READ_LATER = "2025-10-20T11:00:00Z"
ALL = ["--all", "--settle", "0"] + OPEN
VARIANTS = ("deployed", "design", "bigint", "design-bigint")
STATE = ("status",) + decide.TIMES + ("error_message",)


class Acts(Runs):
    """Runs of replay, reconcile apply and reconcile revert from one directory."""

    def start(self, db, *arguments, user="postgres", env=None, program=("replay",), **popen):
        arguments = at_once(arguments)
        if program[-1] in ("apply", "revert") and "--recheck" not in arguments:
            arguments += ["--recheck", "0"]
        return tool.start(program[0], list(program[1:]) + ["-d", db.conninfo(user)] + arguments,
                          self.directory,
                          env or tool.environment(self.directory), **popen)

    def apply(self, db, plan, *arguments, **how):
        return self.report(db, *arguments, plan, program=("reconcile", "apply"), **how)

    def revert(self, db, journal, *arguments, **how):
        return self.report(db, *arguments, journal, program=("reconcile", "revert"), **how)

    def write(self, db, *arguments, **how):
        """A writing run; its report and its journal."""
        before = self.journals()
        done, report = self.report(db, "--apply", *arguments, **how)
        assert done.status in (0, 3), done
        made = self.journals() - before
        assert len(made) <= 1
        return report, made.pop() if made else None

    def journals(self):
        return set((self.directory / "state").glob("*"))


@pytest.fixture
def acts(tmp_path):
    return Acts(tmp_path)


def lines_of(path):
    """The lines of an actions file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as f:
        return [json.loads(line) for line in f]


def save(path, lines):
    with gzip.open(path, "wt", encoding="utf-8") as f:
        f.write("".join(json.dumps(line) + "\n" for line in lines))
    return path


def everything(db):
    """All columns of all rows that a run may write."""
    return db.rows("SELECT * FROM %s ORDER BY id" % db.naming.row)


def logged(db):
    """The log rows, but for what differs from run to run."""
    return db.rows("SELECT log_type, severity, message, details - 'run' AS details, contact_id,"
                   " campaign_id, campaign_contact_id, instance_id FROM %s"
                   " ORDER BY campaign_contact_id, log_type" % db.naming.log)


def counted(db):
    """The counters as the rows have them; total is not ours."""
    rows = tables.read(db).rows
    return {c: dict(decide.counters([r for r in rows if r["campaign_id"] == c]), total=k["total"])
            for c, k in stored_counters(db).items()}


def sightings(world, status="READ", moment=READ_LATER):
    world.archives = {"a": b"".join(
        worlds.line("loja", row["whatsapp_message_id"], status, moment)
        for row in world.tables.rows if row["whatsapp_message_id"])}
    return world


@pytest.fixture
def ten(server, tmp_path):
    """A campaign of ten sent rows that were all read."""
    world = sightings(worlds.campaign_of(["sent"], count=10))
    world.save(tmp_path)
    return world.create(server, "deployed")


def status_of(db, message_id):
    return db.sql("SELECT status FROM %s WHERE whatsapp_message_id = '%s'"
                  % (db.naming.row, message_id)).strip()


def move(db, message_id, assignment):
    db.sql("UPDATE %s SET %s WHERE whatsapp_message_id = '%s'"
           % (db.naming.row, assignment, message_id))


# ---- plans ---------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(12))
def test_a_plan_carried_out_is_the_run_that_it_was_made_by(server, acts, tmp_path, seed):
    variant = VARIANTS[seed % len(VARIANTS)]
    world = worlds.Maker("plan %d" % seed, variant, odd_rows=seed % 3 == 0).make()
    names = world.save(tmp_path)
    planned, direct = world.create(server, variant), world.create(server, variant)
    policy = [["--timestamps", "earliest"], ["--rebuild", "--accept-partial"], ["--fix-total"]][seed % 3]
    more = ["--fix-total"] if "--fix-total" in policy else []
    dry, decided = acts.report(planned, "--plan-out", "p.gz", "--details", *ALL, *policy, *names)
    assert dry.status in (1, 3), dry
    before = planned.dump()
    rehearsed, rehearsal = acts.apply(planned, "p.gz", "-n", "--details", *more)
    assert rehearsed.status == (3 if any("left alone: read" in w for w in rehearsal["warnings"])
                                else 1), rehearsed
    assert planned.dump() == before
    done, report = acts.apply(planned, "p.gz", "--details", *more)
    assert done.status in (0, 3), done
    straight, _ = acts.report(direct, "--apply", *ALL, *policy, *names)
    assert straight.status in (0, 3), straight
    assert everything(planned) == everything(direct)
    assert stored_counters(planned) == stored_counters(direct)
    assert logged(planned) == logged(direct) != []
    for key in ("causes", "corrections"):
        assert report[key] == rehearsal[key] == decided[key], key
    for key in ("updated", "regressions", "conflicts", "busy"):
        assert report["messages"][key] == rehearsal["messages"][key] == decided["messages"][key], key
    # a plan does not tell evidence that proves nothing from none
    assert report["messages"]["updated_without_evidence"] == sum(
        not c["evidence"] for c in decided["corrections"])


def test_a_plan_reads_as_its_contract_says(ten, acts, tmp_path):
    move(ten, "M3", "error_message = E'caf\\u00e9 \\U0001F600 \"x\"\\\\ \\x01\\r\\n'")
    done = acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    assert done.status == 1, done
    header, *actions = lines_of(tmp_path / "p.gz")
    campaign = tables.read(ten).campaigns[0]["id"]
    assert list(header) == ["format", "kind", "run", "system_identifier", "database", "version",
                            "created_at", "campaigns"]
    assert (header["format"], header["kind"], header["database"]) == (1, "plan", ten.name)
    assert header["campaigns"] == [campaign]
    assert header["system_identifier"] == ten.sql(
        "SELECT system_identifier FROM pg_control_system()").strip()
    assert len(actions) == 10
    assert [a["campaign_contact"] for a in actions] == sorted(r["id"] for r in tables.read(ten).rows)
    odd = next(a for a in actions if a["message_id"] == "M3")
    assert list(odd) == ["campaign_contact", "campaign", "message_id", "before", "after",
                         "approximate", "cause", "evidence"]
    assert odd["before"] == {
        "status": "sent", "sent_at": "2025-10-20T10:00:00.000000Z", "delivered_at": None,
        "read_at": None, "failed_at": None, "error_message": "caf\u00e9 \U0001F600 \"x\"\\ \x01\r\n"}
    assert odd["after"] == dict(odd["before"], status="read",
                                delivered_at="2025-10-20T11:00:00.000000Z",
                                read_at="2025-10-20T11:00:00.000000Z")
    assert (odd["cause"], odd["evidence"]) == ("missed_webhook", {"read": ["a", 4]})
    assert stat.S_IMODE((tmp_path / "p.gz").stat().st_mode) == 0o600
    assert not acts.journals(), "a dry run keeps no journal"


def test_the_report_of_a_dry_run_names_the_plan(ten, acts, tmp_path):
    done = acts.run(ten, "--plan-out", "my plan.gz", *OPEN, "a")
    command = done.out.decode().rstrip("\n").split("To write them:\n  ")[1]
    assert " apply " in command and "'my plan.gz'" in command
    assert subprocess.run(command + " --recheck 0", shell=True, cwd=tmp_path, check=False,
                          env=tool.environment(tmp_path), stdout=subprocess.DEVNULL).returncode == 0
    assert {r["status"] for r in everything(ten)} == {"read"}


def test_the_command_that_carries_a_plan_out_writes_what_the_run_would_have(ten, acts):
    done = acts.run(ten, "--plan-out", "plan", "--instance-health", "--app-zone", "UTC",
                    "--single-transaction", *OPEN, "a")
    assert done.status == 1, done
    line = done.out.decode().rstrip().splitlines()[-1]
    assert line.endswith("plan --single-transaction --instance-health --app-zone UTC"), line


def test_the_command_that_writes_writes_however_the_dry_run_was_asked_for(ten, acts, tmp_path):
    (tmp_path / "a").rename(tmp_path / "-n")
    done = acts.run(ten, *OPEN, "-nqo", "r", "--", "-n")
    assert done.status == 1, done
    command = (tmp_path / "r").read_text().rstrip("\n").split("To write them:\n  ")[1]
    command = command.replace(" --apply", " --apply --recheck 0", 1)
    ended = subprocess.run(command, shell=True, cwd=tmp_path, check=False,
                           env=tool.environment(tmp_path), stdout=subprocess.PIPE)
    assert ended.returncode == 0, ended
    assert {row["status"] for row in everything(ten)} == {"read"}


def test_rows_that_moved_since_the_plan_are_conflicts_and_left_alone(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    move(ten, "M1", "status = 'failed'")
    move(ten, "M2", "error_message = ''")
    move(ten, "M3", "sent_at = sent_at + interval '1 microsecond'")
    move(ten, "M4", "whatsapp_message_id = 'NEW'")
    move(ten, "M5", "status = 'pending'")
    move(ten, "M6", "status = 'queued'")
    ten.sql("DELETE FROM %s WHERE whatsapp_message_id = 'M7'" % ten.naming.row)
    before = {r["id"]: r for r in everything(ten)}
    rehearsed, rehearsal = acts.apply(ten, "p.gz", "-n")
    done, report = acts.apply(ten, "p.gz")
    assert (rehearsed.status, done.status) == (3, 3), done
    assert rehearsal["messages"] == report["messages"]
    assert report["messages"]["conflicts"] == 7 and report["messages"]["updated"] == 3
    assert report["messages"]["matched"] == 10
    changed = [r for r in everything(ten) if r != before[r["id"]]]
    assert {r["whatsapp_message_id"] for r in changed} == {"M0", "M8", "M9"}
    assert stored_counters(ten) == counted(ten)


def test_a_plan_carried_out_twice_finds_nothing_left_to_do(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    assert acts.apply(ten, "p.gz")[0].status == 0
    before = ten.versions()
    done, report = acts.apply(ten, "p.gz")
    assert done.status == 0, done
    assert report["messages"]["already_processed"] == 10 and report["messages"]["updated"] == 0
    assert ten.versions() == before
    assert len(acts.journals()) == 1, "nothing written, nothing kept"


def test_counters_that_drifted_since_the_plan_are_taken_anew(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    acts.apply(ten, "p.gz")
    ten.sql("UPDATE %s SET messages_read = 3, total_contacts = 77" % ten.naming.campaign)
    assert acts.apply(ten, "p.gz", "-n")[0].status == 1
    assert acts.apply(ten, "p.gz")[0].status == 0
    assert [(c["read"], c["total"]) for c in stored_counters(ten).values()] == [(10, 77)]
    assert acts.apply(ten, "p.gz", "--fix-total")[0].status == 0
    assert [c["total"] for c in stored_counters(ten).values()] == [10]


def test_a_campaign_that_is_gone_makes_conflicts(server, acts, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=6, campaigns=2))
    world.save(tmp_path)
    db = world.create(server, "deployed")
    acts.run(db, "--plan-out", "p.gz", *OPEN, "a")
    gone = world.tables.campaigns[0]["id"]
    db.sql("DELETE FROM {0} WHERE campaign_id = '{2}'; DELETE FROM {1} WHERE id = '{2}'"
           .format(db.naming.row, db.naming.campaign, gone))
    done, report = acts.apply(db, "p.gz")
    assert done.status == 3, done
    assert report["messages"]["conflicts"] == 3 and report["messages"]["updated"] == 3
    assert any("campaign is gone" in w for w in report["warnings"])


def test_a_plan_needs_no_more_rights_than_its_database_gives(ten, acts):
    ten.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    done = acts.run(ten, "--plan-out", "p.gz", *OPEN, "a", user="reader")
    assert done.status == 1, done
    assert "pg_control_system" in done.said
    assert lines_of(acts.directory / "p.gz")[0]["system_identifier"] is None
    assert acts.apply(ten, "p.gz", "-n", user="reader")[0].status == 1
    done, report = acts.apply(ten, "p.gz")
    assert done.status == 0 and ["by the name" in w for w in report["warnings"]] == [True], report
    ten.sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


def test_what_apply_would_refuse_is_put_into_no_plan(ten, acts, tmp_path):
    (tmp_path / "p.gz").write_bytes(b"of yesterday")
    done, report = acts.report(ten, "--plan-out", "p.gz", "--max-corrections", "3", *OPEN, "a")
    assert done.status == 4 and report["messages"]["updated"] == 10
    assert "p.gz" in done.said and "--max-corrections" in done.said
    assert (tmp_path / "p.gz").read_bytes() == b"of yesterday"
    done = acts.run(ten, "--plan-out", "p.gz", "--max-corrections", "3", *OPEN, "a")
    assert b"reconcile apply" not in done.out


def test_the_limit_of_corrections_holds_for_a_plan(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    before = ten.versions()
    for limit in ("9", "99%"):
        done, _ = acts.apply(ten, "p.gz", "--max-corrections", limit)
        assert done.status == 4 and "--max-corrections" in done.said
        assert acts.apply(ten, "p.gz", "-n", "--max-corrections", limit)[0].status == 1
    assert ten.versions() == before and not acts.journals()
    assert acts.apply(ten, "p.gz", "--max-corrections", "100%")[0].status == 0


def test_what_exceeds_the_limit_is_counted_in_proper_words(server, runs, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=1))
    world.save(tmp_path)
    one = world.create(server, "deployed")
    for limit, words in (("0", "1 correction is more than --max-corrections allows (0)"),
                         ("5%", "1 correction is more than --max-corrections allows (5% of 1 row)")):
        done, report = runs.report(one, "--max-corrections", limit, *OPEN, "a")
        assert done.status == 1 and words in report["warnings"][0], report


def test_a_plan_that_would_break_a_campaign_leaves_it_alone(server, acts, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=6, campaigns=2))
    world.save(tmp_path)
    db = world.create(server, "deployed")
    acts.run(db, "--plan-out", "p.gz", *OPEN, "a")
    lines = lines_of(tmp_path / "p.gz")
    broken = lines[1]["campaign"]
    lines[1]["after"].update(delivered_at=None, status="sent")
    save(tmp_path / "p.gz", lines)
    before = [r for r in everything(db) if r["campaign_id"] == broken]
    for arguments in (["-n"], []):
        done, report = acts.apply(db, "p.gz", *arguments)
        assert done.status == 3, done
        assert report["messages"]["updated"] == 3
        assert any(broken in w and "left alone" in w for w in report["warnings"])
    assert [r for r in everything(db) if r["campaign_id"] == broken] == before


def test_what_was_carried_out_can_be_verified(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    move(ten, "M3", "status = 'failed'")
    done = acts.run(ten, "--verify", "p.gz", program=("reconcile", "apply"))
    assert done.status == 3 and b"verified: " in done.out, "a conflict is no failure"
    # a trigger that takes back what is written
    ten.sql("CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " UPDATE public.%s SET status = OLD.status, delivered_at = OLD.delivered_at,"
            " read_at = OLD.read_at WHERE id = OLD.id; RETURN NULL; END $$;"
            "CREATE TRIGGER undo AFTER UPDATE ON %s FOR EACH ROW"
            " WHEN (NEW.whatsapp_message_id = 'M5' AND OLD.status = 'read')"
            " EXECUTE FUNCTION undo();" % ((ten.naming.row,) * 2))
    done, report = acts.revert(ten, acts.journals().pop(), "--verify")
    assert done.status == 4 and "1 correction(s)" in done.said, done
    assert report["messages"]["updated"] == 9


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_roles_of_the_manual_are_enough(server, acts, tmp_path, variant):
    world = worlds.Maker("roles", variant).make()
    names = world.save(tmp_path)
    db = world.create(server, variant)
    grant(db, fix_total=1)
    before = everything(db)
    dry = acts.run(db, "--plan-out", "p.gz", "--fix-total", *ALL, *names, user=READ)
    assert dry.status in (1, 3), dry
    assert acts.apply(db, "p.gz", "-n", "--fix-total", user=READ)[0].status == 1
    assert acts.apply(db, "p.gz", "--fix-total", user=WRITE)[0].status == 0
    assert everything(db) != before
    journal = acts.journals().pop()
    assert acts.revert(db, journal, "-n", user=READ)[0].status == 1
    assert acts.revert(db, journal, user=WRITE)[0].status == 0
    assert everything(db) == before


def test_apply_takes_the_lock_and_waits_for_it(ten, acts):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    with ten.session() as session:
        session.run("SELECT pg_advisory_lock(8243104023216089452);")
        assert acts.apply(ten, "p.gz")[0].status == 5
        assert acts.apply(ten, "p.gz", "-n")[0].status == 1
        assert acts.apply(ten, "p.gz", "--lock-wait", "1s")[0].status == 5


# ---- files that do not fit -----------------------------------------------------------

def test_a_file_of_another_database_is_refused(ten, server, acts, tmp_path):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    other = server.fresh("deployed")
    done, _ = acts.apply(other, "p.gz")
    assert done.status == 4 and ten.name in done.said and other.name in done.said
    lines = lines_of(tmp_path / "p.gz")
    for identifier in ("7000000000000000001", 7000000000000000001):
        lines[0]["system_identifier"] = identifier
        save(tmp_path / "q.gz", lines)
        done, _ = acts.apply(ten, "q.gz")
        assert done.status == 4 and "7000000000000000001" in done.said
    lines[0]["system_identifier"] = int(
        ten.sql("SELECT system_identifier FROM pg_control_system()"))
    save(tmp_path / "q.gz", lines)
    assert acts.apply(ten, "q.gz", "-n")[0].status == 1


def test_each_command_wants_its_own_kind(ten, acts, tmp_path):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    _, journal = acts.write(ten, *OPEN, "a")
    before = ten.versions()
    done, _ = acts.revert(ten, "p.gz")
    assert done.status == 4 and "is a plan" in done.said and "p.gz" in done.said
    done, _ = acts.apply(ten, journal)
    assert done.status == 4 and "is a journal" in done.said
    for content in (b"", b"hello\n", b'{"format":1}\n', b"\x1f\x8b\x08", os.urandom(100)):
        (tmp_path / "bad").write_bytes(content)
        for act in (acts.apply, acts.revert):
            done, report = act(ten, "bad")
            assert done.status == 4 and report is None, done
            assert "bad" in done.said and len(done.lines) == 1
    done, _ = acts.apply(ten, "gone.gz")
    assert done.status == 4 and "No such file" in done.said
    for act in (acts.apply, acts.revert):
        done, _ = act(ten, "/dev/zero")
        assert done.status == 4 and "/dev/zero\": line 1: it is not JSON" in done.said, done
    done = acts.run(ten, "-o", "p.gz", "p.gz", program=("reconcile", "apply"))
    assert done.status == 2 and "--output" in done.said
    assert ten.versions() == before


@pytest.mark.parametrize("line,member,value,named", [
    (0, "format", 2, "line 1: format 2"), (0, "kind", "plot", "kind"),
    (0, "system_identifier", "", "system_identifier"), (0, "system_identifier", "7x", "system_identifier"),
    (0, "system_identifier", -7, "system_identifier"), (0, "campaigns", None, "campaigns"),
    (0, "campaigns", ["x"], "campaigns"), (0, "campaigns", [17], "campaigns"),
    (3, "campaign_contact", "1", "campaign_contact"), (3, "campaign_contact", None, "campaign_contact"),
    (3, "campaign", {}, "campaign"), (3, "message_id", 5, "message_id"),
    (3, "message_id", "a\0b", "NUL"), (3, "cause", "boredom", "cause"), (3, "cause", "", "cause"),
    (3, "approximate", ["sunk"], "approximate"), (3, "evidence", [], "evidence"),
    (3, "evidence", {"read": ["a", 0]}, "evidence"), (3, "evidence", {"read": "a"}, "evidence"),
    (3, "evidence", {"sunk": ["a", 1]}, "evidence"), (3, "before", None, "before"),
    (3, "after.status", "pending", "after: \"status\""), (3, "after.status", "READ", "status"),
    (3, "after.status", 3, "status"), (3, "after.read_at", 5, "read_at"),
    (3, "after.read_at", "2025-10-20", "read_at"),
    (3, "after.read_at", "2025-10-20T10:00:00", "read_at"),
    (3, "after.read_at", "2025-13-20T10:00:00Z", "read_at"),
    (3, "after.read_at", "999999-01-01T00:00:00Z", "read_at"),
    (3, "after.read_at", "586600-01-01T00:00:00Z", "read_at"),
    (3, "after.read_at", "-4713-11-23T23:59:59Z", "read_at"),
    (3, "after.error_message", 7, "error_message"), (3, "after.error_message", "\0", "NUL"),
])
def test_a_plan_of_wrong_types_is_refused_by_line_and_reason(ten, acts, tmp_path, line, member,
                                                             value, named):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    lines = lines_of(tmp_path / "p.gz")
    *outer, last = member.split(".")
    at = lines[line]
    for key in outer:
        at = at[key]
    for missing in (False, True):
        if missing:
            at.pop(last)
        else:
            at[last] = value
        save(tmp_path / "q.gz", lines)
        before = ten.versions()
        done, _ = acts.apply(ten, "q.gz")
        assert done.status == 4 and len(done.lines) == 1, done
        assert "line %d: " % (line + 1) in done.said and "q.gz" in done.said
        assert named in done.said or missing
        assert ten.versions() == before


def test_a_row_that_comes_twice_is_refused(ten, acts, tmp_path):
    acts.run(ten, "--plan-out", "p.gz", *OPEN, "a")
    lines = lines_of(tmp_path / "p.gz")
    save(tmp_path / "p.gz", lines + [lines[4]])
    done, _ = acts.apply(ten, "p.gz")
    assert done.status == 4 and "line 12: " in done.said


# ---- journals ------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(12))
def test_revert_restores_the_rows_to_the_byte(server, acts, tmp_path, seed):
    variant = VARIANTS[seed % len(VARIANTS)]
    world = worlds.Maker("journal %d" % seed, variant, odd_rows=seed % 2 == 0).make()
    names = world.save(tmp_path)
    db = world.create(server, variant)
    before = everything(db)
    how = [["--batch", "3"], ["--single-transaction"], ["--rebuild", "--accept-partial"]][seed % 3]
    report, journal = acts.write(db, *ALL, *how, *names)
    written = everything(db)
    assert written != before
    updated = report["messages"]["updated"]
    versions, logs = db.versions(), logged(db)
    done, rehearsal = acts.revert(db, journal, "-n")
    assert done.status == 1 and rehearsal["messages"]["updated"] == updated, done
    assert db.versions() == versions
    done, undone = acts.revert(db, journal, *how[:2 if how[0] == "--batch" else 0])
    assert done.status == 0, done
    assert everything(db) == before
    assert undone["messages"]["updated"] == updated
    touched = {str(a["campaign"]) for a in lines_of(journal) if "campaign" in a}
    stored, right = stored_counters(db), counted(db)
    assert {c: k for c, k in stored.items() if str(c) in touched} == {
        c: k for c, k in right.items() if str(c) in touched}
    # once more: nothing left to do
    versions = db.versions()
    done, again = acts.revert(db, journal)
    assert done.status == 0 and again["messages"]["updated"] == 0, done
    assert again["messages"]["already_processed"] == again["messages"]["matched"]
    assert db.versions() == versions
    # and the revert can be reverted
    own = (acts.journals() - {journal}).pop()
    assert acts.revert(db, own)[0].status == 0
    assert everything(db) == written
    assert logged(db) == logs != [], "the log is neither undone nor written anew"


def test_a_journal_reads_as_its_contract_says(ten, acts):
    report, journal = acts.write(ten, "--batch", "4", *OPEN, "a")
    assert journal.name == "journal-%s.jsonl.gz" % report["run"]["id"]
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
    header, *rest = lines_of(journal)
    assert (header["format"], header["kind"], header["run"]) == (1, "journal", report["run"]["id"])
    shape = [sorted(line)[0] for line in rest]
    assert shape == (["batch"] + ["after"] * 4 + ["committed"]) * 2 + ["batch"] + ["after"] * 2 + [
        "committed"] or shape == (["batch"] + ["approximate"] * 4 + ["committed"]) * 2 + [
        "batch"] + ["approximate"] * 2 + ["committed"]
    batches = [line for line in rest if "batch" in line]
    assert [b["batch"] for b in batches] == [1, 2, 3]
    xmin = {int(x) for x in ten.sql("SELECT DISTINCT xmin FROM %s" % ten.naming.row).split()}
    assert {b["xid"] & 0xffffffff for b in batches} == xmin
    assert [line["committed"] for line in rest if "committed" in line] == [1, 2, 3]
    data = journal.read_bytes()
    assert data.count(b"\x1f\x8b\x08") >= 7, "a member for the header, each batch and each mark"


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_of_a_campaign_are_written_as_they_lie_in_the_table(server, acts, tmp_path, variant):
    """Neither by id nor as the plan has them: batches of neighbours change few pages."""
    world = sightings(worlds.campaign_of(["sent"], variant, count=40, campaigns=3))
    random.Random(variant).shuffle(world.tables.rows)
    world.save(tmp_path)
    db = world.create(server, variant)
    lie = {}

    def assert_neighbours(journal):
        lines = lines_of(journal)[1:]
        acted = [line for line in lines if "after" in line]
        assert len(acted) == 40
        for campaign, ids in lie.items():
            assert [str(x["campaign_contact"]) for x in acted if str(x["campaign"]) == campaign] == ids

    def look():
        lie.clear()
        for row in db.rows("SELECT campaign_id::text AS c, id::text AS id FROM %s ORDER BY ctid"
                           % db.naming.row):
            lie.setdefault(row["c"], []).append(row["id"])

    assert acts.run(db, "--plan-out", "plan", *OPEN, "a").status == 1
    look()
    assert any(ids != sorted(ids) for ids in lie.values())
    journal = acts.write(db, "--batch", "7", *OPEN, "a")[1]
    assert_neighbours(journal)
    look()
    before = acts.journals()
    assert acts.revert(db, journal, "--batch", "7")[0].status == 0
    assert_neighbours((acts.journals() - before).pop())
    look()
    before = acts.journals()
    assert acts.apply(db, "plan", "--single-transaction")[0].status == 0
    assert_neighbours((acts.journals() - before).pop())


def test_the_report_ends_with_the_command_that_undoes_the_run(ten, acts, tmp_path):
    before = everything(ten)
    done = acts.run(ten, "--apply", *OPEN, "a")
    command = done.out.decode().rstrip("\n").split("To undo them:\n  ")[1]
    assert " revert " in command
    ended = subprocess.run(command + " --recheck 0", shell=True, cwd=tmp_path, check=False,
                           env=tool.environment(tmp_path), stdout=subprocess.PIPE)
    assert ended.returncode == 0
    assert everything(ten) == before
    assert "To undo them:" in ended.stdout.decode(), "a revert can be undone, too"


def test_rows_that_moved_since_are_not_restored(ten, acts):
    _, journal = acts.write(ten, *OPEN, "a")
    move(ten, "M1", "status = 'failed'")
    move(ten, "M2", "whatsapp_message_id = 'NEW'")
    before = {r["whatsapp_message_id"]: r for r in everything(ten)}
    done, report = acts.revert(ten, journal)
    assert done.status == 3, done
    assert report["messages"]["conflicts"] == 2 and report["messages"]["updated"] == 8
    after = {r["whatsapp_message_id"]: r for r in everything(ten)}
    assert after["M1"] == before["M1"] and after["NEW"] == before["NEW"]
    assert {r["status"] for k, r in after.items() if k not in ("M1", "NEW")} == {"sent"}
    assert stored_counters(ten) == counted(ten)


def test_odd_texts_and_times_come_back(server, acts, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=8))
    world.tables.campaigns[0]["name"] = "\u202e\"Natal\"\n\\x"
    world.archives["a"] += worlds.line("loja", "M0", "ERROR", READ_LATER,
                                       error="\x00fal\u00e9ncia \U0001F4A5 \ufffe\x1f\x7f\"\\")
    world.tables.rows[3]["whatsapp_message_id"] = "M3\u00e9\"\\\t"
    world.archives["a"] += worlds.line("loja", "M3\u00e9\"\\\t", "READ", READ_LATER)
    world.tables.rows[7].update(whatsapp_message_id=None, delivered_at=SENT + 1)
    world.save(tmp_path)
    db = world.create(server, "deployed")
    move(db, "M1", "error_message = 'x' || chr(127) || chr(1) || chr(1114109)")
    move(db, "M2", "sent_at = '-infinity', failed_at = 'infinity'")
    move(db, "M4", "failed_at = '12345-06-07 08:09:10.111213Z', error_message = ''")
    move(db, "M5", "failed_at = '4714-11-24 00:00:00Z BC'")
    move(db, "M6", "failed_at = '0044-03-15 00:00:00.000001Z BC', status = 'read'")
    before = everything(db)
    acts.run(db, "--plan-out", "p.gz", *ALL, "a")
    _, journal = acts.write(db, *ALL, "a")
    written = everything(db)
    assert len([1 for a, b in zip(before, written) if a != b]) == 8
    assert acts.revert(db, journal)[0].status == 0
    assert everything(db) == before
    done, report = acts.apply(db, "p.gz")
    assert done.status == 0 and report["messages"]["updated"] == 8, done
    assert everything(db) == written


@pytest.fixture
def failed(tmp_path):
    """Three rows that failed, one with letters that LATIN1 lacks."""
    world = sightings(worlds.campaign_of(["sent"], count=3), status="ERROR")
    world.archives["a"] += worlds.line("loja", "M1", "ERROR", "2025-10-20T10:30:00Z",
                                       error="falhou \U0001F4A5 caf\u00e9")
    world.save(tmp_path)
    return world


@pytest.fixture
def latin(server, failed):
    """The rows that failed in a database of LATIN1."""
    maintenance = server.database("postgres")
    maintenance.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        db = server.database("latin", "deployed")
        db.sql("SET client_encoding = 'UTF8';" + pg.schema("deployed") +
               tables.write(db.naming, failed.tenants, failed.tables))
        yield db
    finally:
        maintenance.sql("DROP DATABASE latin WITH (FORCE)")


def test_texts_that_the_encoding_lacks_are_kept_as_they_were_written(latin, acts):
    before = everything(latin)
    _, journal = acts.write(latin, *OPEN, "a")
    assert "falhou ? caf?" in [r["error_message"] for r in everything(latin)]
    done, report = acts.revert(latin, journal)
    assert done.status == 0 and report["messages"]["updated"] == 3, done
    assert everything(latin) == before


@pytest.mark.parametrize("policy", [[], ["--timestamps", "earliest"], ["--rebuild", "--accept-partial"]],
                         ids=lambda p: p[0] if p else "merge")
def test_texts_that_the_encoding_lacks_are_not_corrected_again(latin, acts, policy):
    acts.write(latin, *OPEN, "a")
    done = acts.run(latin, *policy, *OPEN, "a")
    assert done.status == 0, done


def test_a_plan_with_texts_that_the_encoding_lacks_is_carried_out_once(latin, acts):
    acts.run(latin, "--plan-out", "p.gz", *OPEN, "a")
    done, report = acts.apply(latin, "p.gz")
    assert done.status == 0 and report["messages"]["updated"] == 3, done
    written = everything(latin)
    assert "falhou ? caf?" in [r["error_message"] for r in written]
    for arguments in ([], ["-n"], ["--verify"]):
        done, report = acts.apply(latin, "p.gz", *arguments)
        messages = report["messages"]
        assert done.status == 0 and everything(latin) == written, done
        assert (messages["already_processed"], messages["conflicts"]) == (3, 0), done


@pytest.mark.parametrize("error", ["falhou ? caf", "falhou ? caf??", "falhou ?? caf?", "", None])
def test_other_texts_in_the_place_of_those_are_conflicts(latin, acts, error):
    acts.run(latin, "--plan-out", "p.gz", *OPEN, "a")
    assert acts.apply(latin, "p.gz")[0].status == 0
    move(latin, "M1", "error_message = " + ("NULL" if error is None else "'%s'" % error))
    done, report = acts.apply(latin, "p.gz")
    messages = report["messages"]
    assert (messages["already_processed"], messages["conflicts"]) == (2, 1), done


def test_a_database_that_has_the_letters_holds_them_or_it_is_a_conflict(server, acts, failed):
    db = failed.create(server, "deployed")
    acts.run(db, "--plan-out", "p.gz", *OPEN, "a")
    assert acts.apply(db, "p.gz")[0].status == 0
    move(db, "M1", "error_message = 'falhou ? caf?'")
    done, report = acts.apply(db, "p.gz")
    messages = report["messages"]
    assert (messages["already_processed"], messages["conflicts"]) == (2, 1), done


def test_a_revert_that_breaks_the_order_of_counters_only_warns(server, acts, tmp_path):
    world = worlds.campaign_of(["sent"], count=4)
    for row in world.tables.rows:  # read without delivered, as the design's handler leaves it
        row.update(status="failed", sent_at=None, read_at=SENT + 5)
    world.archives = {"a": b""}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    before = everything(db)
    _, journal = acts.write(db, *ALL, "a")
    assert journal and everything(db) != before
    for arguments in (["-n"], []):
        done, report = acts.revert(db, journal, *arguments)
        assert done.status == (1 if arguments else 0), done
        assert any("does not hold" in w for w in report["warnings"])
        assert report["messages"]["updated"] == 4
    assert everything(db) == before
    assert stored_counters(db) == counted(db)


def test_a_row_written_by_several_batches_is_restored_newest_first(ten, acts, tmp_path):
    before = everything(ten)
    _, journal = acts.write(ten, *OPEN, "a")
    lines = lines_of(journal)
    row = next(a for a in lines if a.get("message_id") == "M5")
    second = dict(row, before=row["after"],
                  after=dict(row["after"], status="failed", failed_at="2025-10-20T12:00:00.000000Z",
                             error_message="x"))
    xid = int(ten.sql("SELECT pg_current_xact_id()"))
    save(tmp_path / "j.gz", lines + [{"batch": 2, "xid": xid}, second, {"committed": 2}])
    move(ten, "M5", "status = 'failed', failed_at = '2025-10-20 12:00Z', error_message = 'x'")
    done, report = acts.revert(ten, "j.gz")
    assert done.status == 0 and report["messages"]["updated"] == 10, done
    assert everything(ten) == before
    assert acts.revert(ten, "j.gz")[1]["messages"]["already_processed"] == 10
    # the row moved between the batches: what the second wrote is undone, the first is not
    save(tmp_path / "k.gz", lines + [{"batch": 2, "xid": xid},
                                     dict(second, before=dict(row["after"], error_message="y")),
                                     {"committed": 2}])
    move(ten, "M5", "status = 'failed', delivered_at = '2025-10-20 11:00Z',"
         " read_at = '2025-10-20 11:00Z', failed_at = '2025-10-20 12:00Z', error_message = 'x'")
    done, report = acts.revert(ten, "k.gz")
    assert done.status == 3 and report["messages"]["conflicts"] == 1, done
    assert status_of(ten, "M5") == "read"


# ---- runs that were ended ------------------------------------------------------------

def slow_commit(db, action="PERFORM pg_sleep(%g)" % 1.5):
    """A deferred trigger that acts once in every COMMIT."""
    db.sql("CREATE FUNCTION tarry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
           " IF pg_catalog.current_setting('tarry.done', true) IS DISTINCT FROM"
           "    pg_catalog.pg_current_xact_id()::text THEN"
           "  PERFORM pg_catalog.set_config('tarry.done', pg_catalog.pg_current_xact_id()::text, true);"
           "  %s; END IF; RETURN NULL; END $$;"
           "CREATE CONSTRAINT TRIGGER tarry AFTER UPDATE ON %s DEFERRABLE INITIALLY DEFERRED"
           " FOR EACH ROW EXECUTE FUNCTION tarry();" % (action, db.naming.row))


def quick_commit(db):
    db.sql("DROP FUNCTION IF EXISTS tarry() CASCADE")


def committing(db):
    return db.sql("SELECT pid FROM pg_stat_activity WHERE datname = '%s' AND query = 'COMMIT'"
                  " AND state = 'active'" % db.name).strip()


def until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def busy(db):
    return int(db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'"
                      " AND application_name LIKE 'rep%%'" % db.name))


def kill(child):
    child.send_signal(signal.SIGKILL)
    return tool.finish(child)


def test_killed_in_a_commit_that_succeeds_what_it_wrote_is_restored(ten, acts):
    before = everything(ten)
    slow_commit(ten)
    run = acts.start(ten, "--apply", "--batch", "4", *OPEN, "a")
    until(lambda: committing(ten), "the run commits")
    journal = acts.journals().pop()
    kill(run)
    done, _ = acts.revert(ten, journal, "-n")
    assert done.status == 4 and "in progress" in done.said, done
    until(lambda: not busy(ten), "the server notices")
    quick_commit(ten)
    changed = sum(a != b for a, b in zip(before, everything(ten)))
    assert changed == 4, "the server went on to commit"
    assert "committed" not in lines_of(journal)[-1]
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["updated"] == 4, done
    assert everything(ten) == before
    assert stored_counters(ten) == counted(ten)


def test_a_connection_lost_in_a_commit_that_fails_leaves_nothing_to_restore(ten, acts):
    before = everything(ten)
    slow_commit(ten)
    run = acts.start(ten, "--apply", "--batch", "4", *OPEN, "a")
    until(lambda: committing(ten), "the run commits")
    ten.sql("SELECT pg_terminate_backend(%s)" % committing(ten))
    done = tool.finish(run)
    assert done.status == 4 and "not known whether" in done.said
    quick_commit(ten)
    assert everything(ten) == before
    journal = acts.journals().pop()
    assert str(journal) in done.said, "what would undo it is told"
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["matched"] == 0, done
    assert everything(ten) == before


def test_a_commit_that_fails_between_others_does_not_count(ten, acts):
    before = everything(ten)
    slow_commit(ten, "IF NEW.whatsapp_message_id IN ('M4', 'M5') THEN RAISE 'no'; END IF")
    done = acts.run(ten, "--apply", "--batch", "1", *OPEN, "a")
    assert done.status == 4, done
    quick_commit(ten)
    written = sum(a != b for a, b in zip(before, everything(ten)))
    journal = acts.journals().pop()
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["updated"] == written, done
    assert everything(ten) == before


@pytest.mark.parametrize("mode", [["--batch", "1"], ["--batch", "7"], ["--single-transaction"]])
def test_killed_anywhere_revert_restores_what_was_committed(server, acts, tmp_path, mode):
    rng = random.Random("kill %s" % mode)
    world = sightings(worlds.campaign_of(["sent", "failed", "sending"], count=200, campaigns=3))
    world.save(tmp_path)
    db = world.create(server, "deployed")
    before = everything(db)
    ends = []
    started = time.monotonic()
    assert acts.run(db, "--apply", *mode, *ALL, "a").status == 0
    span = time.monotonic() - started
    assert acts.revert(db, acts.journals().pop())[0].status == 0
    assert everything(db) == before
    for _ in range(12):
        for path in acts.journals():
            path.unlink()
        run = acts.start(db, "--apply", *mode, *ALL, "a")
        time.sleep(rng.uniform(0, span * 1.1))
        ends.append(kill(run).status)
        until(lambda: not busy(db), "the server notices")
        written = sum(a != b for a, b in zip(before, everything(db)))
        made = acts.journals()
        assert made or written == 0
        for journal in made:
            done, report = acts.revert(db, journal, "--no-journal")
            if done.status == 4:
                assert written == 0 and ("header" in done.said or "is empty" in done.said), done
                continue
            assert done.status == 0 and report["messages"]["updated"] == written, done
        assert everything(db) == before
    assert -signal.SIGKILL in ends


def unmarked(ten, acts, tmp_path, xid):
    """A journal of one batch without its mark, whose transaction is xid."""
    _, journal = acts.write(ten, *OPEN, "a")
    lines = [line for line in lines_of(journal) if "committed" not in line]
    lines[1]["xid"] = xid if xid is not None else lines[1]["xid"]
    return save(tmp_path / "j.gz", lines)


def test_an_unmarked_batch_counts_if_its_transaction_committed(ten, acts, tmp_path):
    before = everything(ten)
    journal = unmarked(ten, acts, tmp_path, None)
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["updated"] == 10, done
    assert everything(ten) == before


def test_an_unmarked_batch_whose_transaction_was_rolled_back_does_not_count(ten, acts, tmp_path):
    with ten.session() as session:
        xid = int(session.run("BEGIN; SELECT pg_current_xact_id();").split()[-1])
        journal = unmarked(ten, acts, tmp_path, xid)
        written = everything(ten)
        done, _ = acts.revert(ten, journal)
        assert done.status == 4 and "in progress" in done.said and str(xid) in done.said
        session.run("ROLLBACK;")
    done, report = acts.revert(ten, journal)
    assert done.status == 0 and report["messages"]["matched"] == 0, done
    assert everything(ten) == written


def test_an_unmarked_batch_of_a_transaction_to_come_is_refused(ten, acts, tmp_path):
    xid = int(ten.sql("SELECT pg_current_xact_id()")) + 100000
    journal = unmarked(ten, acts, tmp_path, xid)
    written = everything(ten)
    done, _ = acts.revert(ten, journal)
    assert done.status == 4 and str(xid) in done.said and "set back" in done.said, done
    assert everything(ten) == written


def test_an_unmarked_batch_that_the_server_forgot_is_left_alone(ten, acts, tmp_path):
    if ten.sql("SELECT pg_xact_status('3'::xid8) IS NULL").strip() != "t":
        pytest.skip("this server forgets no transaction so soon")
    journal = unmarked(ten, acts, tmp_path, 3)
    written = everything(ten)
    done, report = acts.revert(ten, journal)
    assert done.status == 3 and any("no longer knows" in w for w in report["warnings"]), done
    assert everything(ten) == written


def test_a_cut_journal_is_used_as_far_as_it_goes(ten, acts, tmp_path):
    before = everything(ten)
    _, journal = acts.write(ten, "--batch", "5", *OPEN, "a")
    data = journal.read_bytes()
    starts = [i for i in range(len(data)) if data.startswith(b"\x1f\x8b\x08\x00\x00\x00\x00\x00", i)]
    assert len(starts) == 5  # header, batch, mark, batch, mark
    cases = {starts[4] + 3: 10, starts[4]: 10, starts[2] + 5: 5, starts[2]: 5, len(data) - 1: 10}
    for at, updated in cases.items():
        (tmp_path / "cut.gz").write_bytes(data[:at])
        done, report = acts.revert(ten, "cut.gz", "-n")
        assert done.status == 1 and report["messages"]["updated"] == updated, (at, done)
        assert (at in starts) == (not any("ends early" in w for w in report["warnings"]))
    for at in (starts[4] - 30, starts[4] - 1):
        (tmp_path / "cut.gz").write_bytes(data[:at])
        done, _ = acts.revert(ten, "cut.gz")
        assert done.status == 4 and "was committed" in done.said, "the copy is not whole"
    (tmp_path / "bad.gz").write_bytes(data[:starts[3] + 40] + b"xyz" + data[starts[3] + 43:])
    done, _ = acts.revert(ten, "bad.gz")
    assert done.status == 4 and "member 4" in done.said
    assert acts.revert(ten, journal)[0].status == 0
    assert everything(ten) == before


# ---- where journals are kept ---------------------------------------------------------

def test_the_state_directory_comes_from_the_environment(ten, acts, tmp_path):
    base = tool.environment(tmp_path)
    del base["STATE_DIRECTORY"]
    cases = [
        ({"STATE_DIRECTORY": "%s/s1:%s/other" % (tmp_path, tmp_path)}, [], "s1"),
        ({"XDG_STATE_HOME": str(tmp_path / "s2")}, [], "s2/reconcile"),
        ({"XDG_STATE_HOME": "relative"}, [], ".local/state/reconcile"),
        ({}, [], ".local/state/reconcile"),
        ({"STATE_DIRECTORY": str(tmp_path / "s3")}, ["--state-dir", "s4/deep/"], "s4/deep"),
    ]
    for more, arguments, where in cases:
        seen = set(tmp_path.rglob("*.jsonl.gz"))
        assert acts.run(ten, "--apply", *OPEN, *arguments, "a", env=dict(base, **more)).status == 0
        made = set(tmp_path.rglob("*.jsonl.gz")) - seen
        assert [p.parent for p in made] == [tmp_path / where]
        assert stat.S_IMODE((tmp_path / where).stat().st_mode) == 0o700
        assert acts.revert(ten, made.pop(), "--no-journal")[0].status == 0
    assert not (tmp_path / "other").exists() and not (tmp_path / "relative").exists()


def test_a_journal_may_be_named_or_left_out(ten, acts, tmp_path):
    assert acts.run(ten, "--apply", "--journal", "j.gz", *OPEN, "a").status == 0
    assert not acts.journals() and len(lines_of(tmp_path / "j.gz")) == 13
    kept = (tmp_path / "j.gz").read_bytes()
    done = acts.run(ten, "j.gz", "--journal", "j.gz", program=("reconcile", "revert"))
    assert done.status == 2 and '"j.gz" that is read' in done.said
    done = acts.run(ten, "--apply", "--journal", "j.gz", *OPEN, "a")
    assert done.status == 4 and "File exists" in done.said
    (tmp_path / "link").symlink_to("nowhere")
    done = acts.run(ten, "--apply", "--journal", "link", *OPEN, "a")
    assert done.status == 4 and "link" in done.said and not (tmp_path / "nowhere").exists()
    assert (tmp_path / "j.gz").read_bytes() == kept
    done = acts.run(ten, "--no-journal", "j.gz", program=("reconcile", "revert"))
    assert done.status == 0 and b"undo" not in done.out
    assert not acts.journals()
    assert acts.run(ten, "--apply", "--journal", "x", "--no-journal", *OPEN, "a").status == 2
    assert acts.run(ten, "--apply", "--plan-out", "x", *OPEN, "a").status == 2


def test_a_report_replaces_no_journal_and_no_plan(ten, acts, tmp_path):
    before = everything(ten)
    assert acts.run(ten, "--plan-out", "p.gz", *OPEN, "a").status == 1
    (tmp_path / "link").symlink_to("j.gz")
    plan = (tmp_path / "p.gz").read_bytes()
    for arguments in (["--journal", "j.gz", "-o", "./j.gz"], ["--journal", "j.gz", "-o", "link"],
                      ["-o", "./p.gz"], ["-n", "-o", "p.gz"]):
        done = acts.run(ten, *arguments, "p.gz", program=("reconcile", "apply"))
        assert done.status == 2, done
    done = acts.run(ten, "--plan-out", "./q.gz", "-o", "q.gz", *OPEN, "a")
    assert done.status == 2 and "name the same file" in done.said, done
    assert (tmp_path / "p.gz").read_bytes() == plan and everything(ten) == before
    assert not (tmp_path / "j.gz").exists() and not (tmp_path / "q.gz").exists()
    assert not acts.journals()


def test_a_directory_that_cannot_be_used_ends_the_run_before_it_begins(ten, acts, tmp_path):
    (tmp_path / "file").write_text("")
    before = ten.versions()
    for arguments, named in ((["--state-dir", "file"], "file"), (["--state-dir", "file/x"], "file/x"),
                             (["--state-dir", "/proc/nowhere"], "/proc/nowhere"),
                             (["--journal", "gone/j.gz"], "gone/j.gz"),
                             (["--journal", "file/"], "file/")):
        done = acts.run(ten, "--apply", *arguments, *OPEN, "no such archive")
        assert done.status == 4 and len(done.lines) == 1, done
        assert named in done.said and "archive" not in done.said
    assert ten.versions() == before
    assert acts.run(ten, "--state-dir", "file", *OPEN, "a").status == 1, "a dry run keeps none"


def test_a_run_with_nothing_to_write_leaves_no_journal(ten, acts):
    ten.sql("UPDATE %s SET messages_read = 5" % ten.naming.campaign)
    done = acts.run(ten, "--apply", *OPEN, "--since", "2026-01-01", "--all", "a")
    assert done.status == 0, done
    assert [c["read"] for c in stored_counters(ten).values()] == [0], "counters were written"
    assert not acts.journals() and b"undo" not in done.out


# ---- polls ---------------------------------------------------------------------------

def test_a_poll_that_writes_in_parts_keeps_one_journal(server, polls, acts):
    """Two instances, the second so slow that the first is written before."""
    shop = Shop()
    for name in ("swift", "slow"):
        shop.sell(shop.campaign(name), shop.instance(name), name, 12, prefix=name)
    db = shop.create(server)
    before = everything(db)
    polls.serve(shop, faults=[{"fault": "slow", "seconds": 0.3, "instance": "slow"}])
    done = polls.run(db, "--apply", "--batch", "5")
    assert done.status == 0, done
    journal, = acts.journals()
    lines = lines_of(journal)
    batches = [line["batch"] for line in lines if "batch" in line]
    assert batches == list(range(1, len(batches) + 1)) and len(batches) >= 4
    assert [line["committed"] for line in lines if "committed" in line] == batches
    assert sum("cause" in line for line in lines) == 24
    assert all(list(line["evidence"].values())[0][0].startswith("api:") and line["approximate"]
               for line in lines if "cause" in line)
    command = done.out.decode().rstrip("\n").split("To undo them:\n  ")[1]
    done, report = acts.revert(db, journal)
    assert shlex.split(command)[-1] == str(journal)
    assert done.status == 0 and report["messages"]["updated"] == 24, done
    assert everything(db) == before
    assert stored_counters(db) == counted(db)


def test_a_poll_that_is_ended_tells_how_to_undo_what_it_wrote(server, polls, acts):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 60)
    polls.serve(shop, faults=[{"fault": "stall", "chance": 0.1}], seed=4)
    db = shop.create(server)
    before = everything(db)
    child = polls.start(db, "--apply", "--strategy", "message", "--connections", "1", "--batch", "5")
    until(lambda: acts.journals() and everything(db) != before, "some are written")
    child.send_signal(signal.SIGTERM)
    done = tool.finish(child)
    assert done.status == 143 and "to undo what was written: " in done.said, done
    journal, = acts.journals()
    assert acts.revert(db, journal)[0].status == 0
    assert everything(db) == before


def test_a_poll_that_is_refused_midway_tells_how_to_undo_what_it_wrote(server, polls, acts):
    """Words at one instance; then, at another, a number that only the other dialect has."""
    shop = Shop()
    shop.sell(shop.campaign("words"), shop.instance("words"), "words", 10, prefix="W")
    shop.row(shop.campaign("numbers"), "N", instance=shop.instance("numbers"))
    shop.knows("numbers", "N", 4)
    polls.serve(shop, faults=[{"fault": "slow", "seconds": 1, "instance": "numbers"}])
    db = shop.create(server)
    before = everything(db)
    done = polls.run(db, "--apply")
    assert done.status == 4, done
    told = done.out.decode()
    assert "To undo what was written before:\n" in told
    journal, = acts.journals()
    assert told.rstrip("\n").endswith(str(journal))
    assert acts.revert(db, journal)[0].status == 0
    assert everything(db) == before


def test_the_plan_of_a_poll_and_of_an_audit(server, polls, acts):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 12)
    shop.row(shop.tables.campaigns[0]["id"], "B", delivered_at=1780000000)  # overwritten
    polls.serve(shop)
    db = shop.create(server)
    for arguments, expected in ((["audit"], 1), (["poll"], 13)):
        start = polls.start(db, "--plan-out", "p.gz") if arguments == ["poll"] else acts.start(
            db, "--plan-out", "p.gz", program=("reconcile", "audit"))
        assert tool.finish(start).status == 1
        done, report = acts.apply(db, "p.gz", "-n", "--details")
        assert done.status == 1 and report["messages"]["updated"] == expected, done
    assert acts.apply(db, "p.gz")[0].status == 0
    assert tool.finish(polls.start(db)).status == 0
