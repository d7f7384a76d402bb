"""Writing runs while the application works on the same rows, campaigns and instances.

pgbench plays the application: the handler of the design document, the deployed one, and the
worker that sends. A control group of the same scripts works on a campaign that no run touches,
so that what the machine's load adds to a wait is known. SOAK=N takes N times as long.
"""

import collections
import json
import os
import random
import re
import subprocess
import time

import pytest

import pg
import serverlog
import tool
import world as worlds
from oracle import times
from runs import OPEN

SOAK = float(os.environ.get("SOAK", "1"))
SECONDS = 3 * SOAK  # of load, in which a machine that is not too busy makes runs enough
ROUNDS = 10  # of load, until there were
ROWS, CAMPAIGNS, GENERATIONS = 90, 3, 4
LOCKS = 3  # that a handler takes one after the other: contact, campaign, instance
SESSIONS = 6  # of the handlers, and of the control group
MINUTE = 60 * 1000000

RUNS = (["--batch", "7"], [], ["--single-transaction"], ["--batch", "20", "--pause", "2"])

# ---- what the application does ---------------------------------------------------------

# A webhook finds its row; nobody has locked it yet. found is 0 where the worker has sent the
# message again in the meantime. event: 1 to 6 delivered, 7 to 9 read, 10 failed.
LOOK = r"""
\set n random(0, :rows - 1)
\set g random(0, :generations - 1)
\set event random(1, 10)
\sleep 1 ms
SELECT count(*) AS found, min(id::text) AS row, min(campaign_id::text) AS campaign,
       min(contact_id::text) AS person, min(instance_used_id::text) AS instance,
       coalesce(min(CASE status WHEN 'sent' THEN 1 WHEN 'delivered' THEN 2 ELSE 3 END), 0) AS rank
FROM {row} WHERE whatsapp_message_id = ':who:n.:g' \gset
"""

LOG = """
INSERT INTO {log} (id, log_type, severity, message, created_at, campaign_id, campaign_contact_id,
                   contact_id, instance_id)
VALUES (gen_random_uuid(), '%s', 'info', 'handler', now(), ':campaign', ':row', ':person',
        ':instance');
"""

# A status, when it is news, and the columns that it sets.
EVENTS = (
    ("delivered", "\\if :found = 1 and :event <= 6 and :rank = 1",
     "status = 'delivered', delivered_at = now()"),
    ("read", "\\elif :found = 1 and :event > 6 and :event <= 9 and :rank <= 2",
     "status = 'read', read_at = now()"),
    ("failed", "\\elif :found = 1 and :event = 10",
     "status = 'failed', failed_at = now(), error_message = 'x'"),
)

# In one transaction: the contact, the campaign's counter + 1, the instance's day, the log.
DESIGN = """
BEGIN;
UPDATE {row} SET %(set)s WHERE id = ':row';
UPDATE campaigns_campaign SET {%(event)s} = {%(event)s} + 1 WHERE id = ':campaign';
UPDATE {instance} SET msgs_%(event)s_today = msgs_%(event)s_today + 1 WHERE id = ':instance';
%(log)s
COMMIT;
"""

# Each statement by itself: the contact, five counts, the counters as counted, the instance.
DEPLOYED = """
UPDATE {row} SET %(set)s WHERE id = ':row';
SELECT count(*) AS total FROM {row} WHERE campaign_id = ':campaign' \\gset
SELECT count(*) AS sent FROM {row} WHERE campaign_id = ':campaign'
    AND (sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read')) \\gset
SELECT count(*) AS delivered FROM {row} WHERE campaign_id = ':campaign'
    AND (delivered_at IS NOT NULL OR status IN ('delivered', 'read')) \\gset
SELECT count(*) AS read FROM {row} WHERE campaign_id = ':campaign'
    AND (read_at IS NOT NULL OR status = 'read') \\gset
SELECT count(*) AS failed FROM {row} WHERE campaign_id = ':campaign' AND status = 'failed' \\gset
UPDATE campaigns_campaign SET total_contacts = :total, {sent} = :sent, {delivered} = :delivered,
    {read} = :read, {failed} = :failed WHERE id = ':campaign';
UPDATE {instance} SET msgs_%(event)s_today = msgs_%(event)s_today + 1 WHERE id = ':instance';
%(log)s
"""

# The worker sends a message again under a new id, and logs it; or it saves what it had read
# before a webhook came, all columns of it, having logged first. Foreign keys that are checked
# at once hold the campaign and the row FOR KEY SHARE until the end.
WORKER = r"""
\set n random(0, :rows - 1)
\set g random(0, :generations - 1)
\set stale random(0, 2)
\sleep 1 ms
SELECT id AS row, campaign_id AS campaign, contact_id AS person, instance_used_id AS instance
FROM {row} WHERE whatsapp_message_id LIKE ':who:n.%' \gset
\if :stale
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
""" + LOG % "message_sent" + """
UPDATE {row} SET campaign_id = ':campaign', contact_id = ':person', instance_used_id = ':instance',
    status = 'sent', delivered_at = NULL, read_at = NULL, failed_at = NULL, error_message = NULL
    WHERE id = ':row';
COMMIT;
\\else
UPDATE {row} SET whatsapp_message_id = ':who:n.:g', status = 'sent', sent_at = now(),
    delivered_at = NULL, read_at = NULL, failed_at = NULL, error_message = NULL,
    retry_count = retry_count + 1 WHERE id = ':row';
""" + LOG % "message_sent" + """
\\endif
"""


def script(naming, text):
    return text.format(row=naming.row, log=naming.log, instance=naming.instance, **{
        k: v for k, v in naming.counters.items() if k != "total"})


def handler(naming, write):
    """The handler's script: it looks, and writes what is news by what it saw."""
    text = LOOK
    for event, when, values in EVENTS:
        text += when + write % {"event": event, "set": values, "log": LOG % ("message_" + event)}
    return script(naming, text + "\\endif\n")


class Load:
    """A pgbench at work: client sessions that run scripts (text -> weight) for some seconds."""

    def __init__(self, db, directory, name, scripts, clients, seconds, **variables):
        command = [pg.find_bin("pgbench"), "-n", "-c", str(clients), "-j", "1", "-T",
                   str(max(1, round(seconds))), "-l", "--log-prefix", str(directory / name),
                   "--random-seed", "1"]
        for number, (text, weight) in enumerate(scripts.items()):
            path = directory / ("%s-%d.sql" % (name, number))
            path.write_text(text)
            command += ["-f", "%s@%d" % (path, weight)]
        for variable, value in variables.items():
            command += ["-D", "%s=%s" % (variable, value)]
        env = tool.environment(directory, PGAPPNAME=name, PGOPTIONS="-c statement_timeout=30s")
        self.pattern = "%s.[0-9]*" % name
        self.directory = directory
        self.until = time.monotonic() + seconds
        self.process = subprocess.Popen(command + [db.conninfo()], env=env, cwd=directory,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def finish(self):
        """Waits for its end; every transaction has to succeed. What it did: (begin, end)."""
        said = self.process.communicate(timeout=tool.TIMEOUT + SECONDS)[0]
        assert self.process.returncode == 0, said
        assert set(re.findall(r"number of failed transactions: (\d+)", said)) <= {"0"}, said
        done = []
        for path in self.directory.glob(self.pattern):
            for line in path.read_text().splitlines():
                took, _, second, micros = line.split()[2:6]
                end = int(second) + int(micros) / 1e6
                done.append((end - int(took) / 1e6, end))
        assert len(done) > 100, "the application did next to nothing: " + said
        return done

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def made(server, directory, variant, rows=ROWS, campaigns=CAMPAIGNS):
    """Campaigns of whose rows two thirds have evidence, under the ids of every generation, and one
    whose rows have none: the control group's."""
    world = worlds.campaign_of(["sent"], variant, rows // campaigns * (campaigns + 1), campaigns + 1)
    maker, rng = worlds.Maker("live", variant), random.Random("live")
    control = world.tables.campaigns[-1]["id"]
    first = world.tables.instances[0]
    world.tables.instances += [dict(first, id=maker.new_id(), instance_name=name)
                               for name in ("filial", "controle")]
    now = int(time.time() * 1e6)
    count = collections.Counter()
    lines = []
    for number, row in enumerate(world.tables.rows):
        who = "C" if row["campaign_id"] == control else "M"
        n = count[who]
        count[who] += 1
        instance = world.tables.instances[2 if who == "C" else n % 2]
        world.tables.rows[number] = dict(
            row, whatsapp_message_id="%s%d.0" % (who, n), instance_used_id=instance["id"],
            sent_at=now - 60 * MINUTE)
        for g in range(GENERATIONS if who == "M" and n // campaigns % 3 else 0):
            seen = rng.choice([["DELIVERED"], ["READ"], ["DELIVERED", "READ"], ["ERROR"]])
            lines += [worlds.line(instance["instance_name"], "M%d.%d" % (n, g), status,
                                  times.show(now - (50 - 10 * i) * MINUTE))
                      for i, status in enumerate(seen)]
    world.archives = {"a": b"".join(lines)}
    world.save(directory)
    return world.create(server, variant), control, count["C"]


def differing(db, control=None):
    """The campaigns whose counters are not those of their rows."""
    naming = db.naming
    return [r["id"] for r in db.rows(
        "SELECT p.id::text FROM campaigns_campaign p JOIN (SELECT campaign_id,"
        " count(*) FILTER (WHERE sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read')),"
        " count(*) FILTER (WHERE delivered_at IS NOT NULL OR status IN ('delivered', 'read')),"
        " count(*) FILTER (WHERE read_at IS NOT NULL OR status = 'read'),"
        " count(*) FILTER (WHERE status = 'failed')"
        " FROM %s GROUP BY campaign_id) AS k (id, sent, delivered, read, failed) USING (id)"
        " WHERE (p.%s, p.%s, p.%s, p.%s) IS DISTINCT FROM (k.sent, k.delivered, k.read, k.failed)"
        % ((naming.row,) + tuple(naming.counters[k] for k in ("sent", "delivered", "read", "failed"))))
        if r["id"] != str(control)]


def assert_nothing_doubled(db):
    """No log row of a run beside another of a run, or beside one that was committed before."""
    doubled = db.rows(
        "SELECT a.log_type, a.details->>'run' AS run, b.details->>'run' AS other FROM {0} a JOIN {0} b"
        " ON b.campaign_contact_id = a.campaign_contact_id AND b.log_type = a.log_type"
        " AND b.id <> a.id WHERE a.details->>'source' = 'reconcile'"
        " AND (b.details->>'source' = 'reconcile'"
        " OR pg_xact_commit_timestamp(b.xmin) < a.created_at)".format(db.naming.log))
    assert not doubled, doubled[:3]


def assert_nobody_waits_long(handled, batches, control):
    """A handler waits for one batch at each lock that it takes, and for no more: were one passed
    over again and again, it would wait for many. What it takes beside that is judged by those
    that meet no batch, and by the control group."""
    disturbed, seconds = [], [end - begin for begin, end in control]
    for begin, end in handled:
        met = sorted(t.seconds for t in batches if t.begin < end and t.end > begin)
        if met:
            disturbed.append((end - begin, met))
        else:
            seconds.append(end - begin)
    slack = 3 * max(seconds)
    for took, met in disturbed:
        assert took <= sum(met[-LOCKS:]) + slack, \
            "%.3f s, which met %d batches of at most %.3f s; slack %.3f s" % (
                took, len(met), met[-1], slack)
    assert len(disturbed) > len(handled) / 50, "the runs hardly met the application"


def settle(runs, db, logged, load, env):
    """A last run, whose recheck comes when the application is quiet; the campaigns it touched."""
    for wait in ("2", "8", "30"):
        with load(float(wait) / 4) as last:
            child = runs.start(db, "--apply", "--recheck", wait, "--instance-health", "--settle",
                               "0", "--format", "json", *OPEN, "a", env=env)
            last.finish()
        quiet = time.time()
        done = tool.finish(child)
        assert done.status in (0, 3), done
        touched = [c["id"] for c in json.loads(done.out)["campaigns"]]
        if logged.transactions("replay")[-1].begin > quiet:
            return touched
    raise AssertionError("the application was never quiet in time")


@pytest.mark.parametrize("variant", ["design", "deployed"])
def test_the_application_goes_on_undisturbed(watched, runs, tmp_path, variant):
    db, control, controls = made(watched, tmp_path, variant)
    scripts = {handler(db.naming, DESIGN): 2, handler(db.naming, DEPLOYED): 2,
               script(db.naming, WORKER): 1}
    logged = serverlog.Log(watched)
    env = tool.environment(tmp_path, PGOPTIONS=serverlog.STATEMENTS)
    numbers = iter(range(1000))

    def load(seconds, who="M", rows=ROWS):
        return Load(db, tmp_path, "load%d" % next(numbers), scripts, SESSIONS, seconds, who=who,
                    rows=rows, generations=GENERATIONS)
    handled, undisturbed, written, number = [], [], 0, 0
    for _ in range(ROUNDS):
        with load(SECONDS) as handlers, load(SECONDS, "C", controls) as others:
            while time.monotonic() < handlers.until:
                done, report = runs.report(
                    db, "--apply", "--settle", "0", "--instance-health", *OPEN,
                    *RUNS[number % len(RUNS)], "a", env=env)
                assert done.status in (0, 3), done
                written += report["messages"]["updated"]
                number += 1
            handled += handlers.finish()
            undisturbed += others.finish()
        if number >= len(RUNS) and written > ROWS / 2:
            break
    assert number >= len(RUNS) and written > ROWS / 2, "%d runs, %d corrections" % (number, written)
    assert_nobody_waits_long(handled, logged.transactions("replay"), undisturbed)

    touched = settle(runs, db, logged, load, env)
    assert touched and not set(touched) & set(differing(db))
    assert logged.errors() == []

    done = runs.run(db, "--apply", "--settle", "0", *OPEN, "a")
    assert done.status == 0, done
    assert differing(db, control) == []
    assert_nothing_doubled(db)
    report = runs.report(db, "--settle", "0", *OPEN, "a")[1]
    assert report["messages"]["updated"] == 0 and report["campaigns"] == []


# Looks and writes in one statement, and adds what it changed in the same transaction.
ATOMIC = r"""
\set n random(0, :rows - 1)
\set event random(0, 1)
\sleep 2 ms
BEGIN;
\if :event
WITH w AS (UPDATE {row} SET status = 'delivered', delivered_at = now()
           WHERE whatsapp_message_id = ':who:n.0' AND status = 'sent' AND delivered_at IS NULL
           RETURNING campaign_id)
SELECT count(*) AS changed, coalesce(min(campaign_id::text), ':none') AS campaign FROM w \gset
UPDATE campaigns_campaign SET {delivered} = {delivered} + :changed WHERE id = ':campaign';
\else
WITH w AS (UPDATE {row} SET status = 'read', read_at = now()
           WHERE whatsapp_message_id = ':who:n.0' AND status = 'delivered' AND read_at IS NULL
           RETURNING campaign_id)
SELECT count(*) AS changed, coalesce(min(campaign_id::text), ':none') AS campaign FROM w \gset
UPDATE campaigns_campaign SET {read} = {read} + :changed WHERE id = ':campaign';
\endif
\sleep 2 ms
COMMIT;
"""


@pytest.mark.parametrize("campaigns,batch", [
    (3, ["--batch", "20"]), (100, ["--batch", "20"]), (100, ["--single-transaction"])],
    ids=["added", "recounted", "single"])
def test_who_adds_in_the_transaction_that_writes_is_never_lost(watched, runs, tmp_path, campaigns,
                                                               batch):
    """Counters are exact without any later count, though a run counts, adds and counts again."""
    rows = 1200
    db, control, _ = made(watched, tmp_path, "deployed", rows, campaigns)
    with Load(db, tmp_path, "handler", {script(db.naming, ATOMIC): 1}, SESSIONS, 2 * SOAK,
              who="M", rows=rows, none=control) as handlers:
        time.sleep(0.2)
        done, report = runs.report(db, "--apply", "--settle", "0", *batch, *OPEN, "a")
        assert done.status in (0, 3) and report["messages"]["updated"] > rows / 4, done
        handlers.finish()
    assert differing(db, control) == []
