"""What has to hold when all is quiet."""

import gzip
import os
import time

import test_live as live

import tables
from faults import OURS
from oracle import database, decide, fold
from programs import expect
from runs import shown

REST = ["--settle", "0", "--status-codes", "app"]
SLACK = 2 << 20  # bytes that a peak may differ by from run to run


def nobody_left(soak):
    """No backend, lock, prepared transaction or temporary file of a run that ended."""
    deadline = time.monotonic() + 300
    asked = ("SELECT (SELECT count(*) FROM pg_stat_activity WHERE %s), (SELECT count(*) FROM"
             " pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_prepared_xacts)"
             % OURS)
    left = soak.maintenance.sql(asked).strip()
    while left != "0|0|0" and time.monotonic() < deadline:
        time.sleep(0.2)
        left = soak.maintenance.sql(asked).strip()
    expect(left == "0|0|0", "backends|advisory locks|prepared transactions stay:", left)
    files = [str(p) for p in (soak.server.home / "data" / "base").glob("pgsql_tmp/*")]
    expect(not files, "the server keeps temporary files:", files)


def journals_can_be_read(soak):
    """Of every run that wrote, ended as it may have been; then they go."""
    for journal in soak.programs.journals():
        done = soak.programs.run("reconcile", "revert", "-n", journal)
        unwritten = done.status == 4 and ("header" in done.said or "is empty" in done.said)
        expect(done.status in (0, 1, 3) or unwritten, "a journal cannot be read:", done)
        journal.unlink()


def rows_are(held, expected, what):
    wrong = ["row %s (%s): %r, expected %r" % (
        r["id"], r["whatsapp_message_id"], shown(r), shown(expected[r["id"]]))
        for r in held.rows if shown(r) != shown(expected[r["id"]])]
    expect(not wrong, "%s: %d rows differ\n%s" % (what, len(wrong), "\n".join(wrong[:5])))


def oracle_agrees(soak):
    """A last run leaves what the oracle computes from the tables before it, and all archives."""
    before = tables.read(soak.db)
    states, counts = fold.fold([str(soak.capture.directory)])
    expect("archives_damaged" not in counts or not counts["archives_damaged"], "damage:", counts)
    want = database.run(before, states, decide.Policy(settle=0))
    done = soak.programs.run("replay", "--apply", "--recheck", "1", *REST,
                             soak.capture.directory)
    quiet = 3 if want.messages["instance_mismatch"] or want.messages["ambiguous"] else 0
    expect(done.status == quiet, "expected status %d:" % quiet, done)
    after = tables.read(soak.db)
    rows_are(after, want.rows, "the oracle decides otherwise")
    for name, count in want.messages.items():
        expect(done.report["messages"][name] == count, "the report counts otherwise:", name,
               done.report["messages"][name], count)
    held = {c["id"]: c for c in after.campaigns}
    for id, count in want.counters.items():
        got = {k: held[id][k] for k in count if k != "total"}
        expect(got == {k: v for k, v in count.items() if k != "total"},
               "counters of campaign", id, got, count)
    return states, done


def truth_is_held(soak):
    """Every row is what was told of its message, whatever has happened to it on its way."""
    wrong = []
    for row in tables.read(soak.db).rows:
        known = soak.ledger.rows[row["id"]]
        mid, status = row["whatsapp_message_id"], row["status"]
        if known.certain and known.mid != mid:
            wrong.append("row %s has message id %s, not %s" % (row["id"], mid, known.mid))
        if status == "pending" or (status == "failed" and mid is None):
            continue
        want = soak.ledger.status_of(mid)
        seen = soak.ledger.seen.get(mid, set())
        read, delivered = "read" in seen, bool(seen & {"read", "delivered"})
        held = (status, row["read_at"] is not None, row["delivered_at"] is not None)
        if held != (want, read, delivered) or row["sent_at"] is None or (
                status == "failed" and row["failed_at"] is None):
            wrong.append("row %s (%s): %r, told: %s" % (row["id"], mid, shown(row), sorted(seen)))
    expect(not wrong, "%d rows are not what was told\n%s" % (len(wrong), "\n".join(wrong[:5])))


def counters_count(soak):
    done = soak.programs.run("reconcile", "audit", "--apply", "--fix-total", "--recheck", "0",
                             *REST[:2])
    expect(done.status == 0, "an audit:", done)
    expect(live.differing(soak.db) == [], "counters differ from rows:", live.differing(soak.db))
    naming = soak.db.naming
    wrong = soak.db.rows("SELECT id FROM campaigns_campaign p WHERE %s <> (SELECT count(*) FROM %s"
                         " WHERE campaign_id = p.id)" % (naming.counters["total"], naming.row))
    expect(not wrong, "totals differ from rows:", wrong)
    live.assert_nothing_doubled(soak.db)


def nothing_is_left(soak):
    """Whoever looks again finds nothing to do, and writes nothing."""
    versions = soak.db.versions()
    for arguments in (["replay", "--apply", "--recheck", "0", *REST, soak.capture.directory],
                      ["reconcile", "audit", "--apply", "--recheck", "0", *REST[:2]]):
        done = soak.programs.run(*arguments)
        expect(done.status in (0, 3) and done.corrections() == 0 and not done.report["campaigns"],
               "a second run finds more:", done, done.report and done.report["campaigns"])
    expect(soak.db.versions() == versions, "a run that found nothing wrote something")


def states_are_exact(soak, states):
    """The fold of everything, and of its parts, is the oracle's."""
    home = soak.programs.home
    names = sorted(soak.capture.directory.iterdir())
    want = fold.lines(states)

    def folded(target, *arguments):
        done = soak.programs.run("replay", "--offline", "--status-codes", "app", "--states-out",
                                 target, *arguments)
        expect(done.status == 0, "a fold:", done)
        return gzip.decompress(target.read_bytes()).decode()
    parts = [home / "part-a.gz", home / "part-b.gz", home / "whole.gz"]
    folded(parts[0], *names[::2])
    folded(parts[1], "--memory", soak.small, *names[1::2] or names)
    got = folded(parts[2], "--states-in", parts[0], "--states-in", parts[1])
    expect(got == want, "states of parts differ from the oracle's")
    for part in parts:
        part.unlink()


def memory_stays(soak):
    """A finished archive of the world's first round needs no more memory than it did."""
    first = sorted(soak.capture.directory.glob("webhooks-001*"))[0]
    done = soak.programs.run("replay", *REST, first)
    expect(done.status in (0, 3) and not done.corrections(), "a replay of the first:", done)
    base = soak.first_peaks.setdefault("replay", done.peak)
    expect(done.peak <= base + base // 10 + SLACK, "peak memory grew from %d to %d:" % (
        base, done.peak), done)
    soak.same_input.append(done.peak)


def server_is_lean(soak):
    """It holds no more descriptors than at first."""
    count = len(os.listdir("/proc/%d/fd" % soak.server.process.pid))
    base = soak.first_peaks.setdefault("server", count)
    expect(count <= base + 8, "the server holds %d descriptors, %d at first" % (count, base))


def the_application_was_undisturbed(soak):
    """It waited for locks, but not in a circle."""
    bad = [kind for kind in soak.app.problems if "deadlock" in kind]
    expect(not bad, "the application met:", soak.app.problems)


def quiet(soak):
    """All of it. Returns the corrections of the last run."""
    soak.capture.uncut()
    soak.capture.rotate()
    soak.capture.uncut()
    nobody_left(soak)
    states, done = oracle_agrees(soak)
    truth_is_held(soak)
    counters_count(soak)
    nothing_is_left(soak)
    states_are_exact(soak, states)
    memory_stays(soak)
    journals_can_be_read(soak)
    server_is_lean(soak)
    the_application_was_undisturbed(soak)
    return done.corrections()
