"""Writing runs that are ended at any moment: killed, interrupted, cut off from the server, or the
server itself crashes.

The moments are requests of the run to the server, chosen at random over all of an undisturbed
run, a third of them its COMMITs. SOAK_KILLED=N draws N moments for each command and way to end
it, from more databases and modes, SOAK_SEED=WORD other ones; what was drawn is printed when a
test fails.
"""

import json
import os
import random
import re
import signal
import time

import pytest

import pg
import pgproxy
import tables
import tool
import world as worlds
from oracle import decide, times
from runs import OPEN
from test_poll import Polls, busy_shop

SOAK = int(os.environ.get("SOAK_KILLED", "0"))
SEED = os.environ.get("SOAK_SEED", "1")
ROUNDS_PER_WORLD = 10
SPAN = 2 * 86400
NOW = times.show((worlds.START + SPAN) * 1000000)
VARIANTS = ("deployed", "design", "bigint", "design-bigint")
SIGNALS = ("SIGTERM", "SIGINT")
MODES = (["--batch", "3"], ["--batch", "1"], ["--batch", "7"], ["--single-transaction"])
COMMITTED = re.compile(r"(?:(\d+) correction\(s\) had been committed in (\d+) transaction\(s\),"
                       r" with the counters of (\d+) campaign\(s\)|nothing had been committed)")
IN_DOUBT = re.compile(r"not known whether this batch of (\d+) correction\(s\) is committed")


@pytest.fixture(scope="module")
def own_server():
    """It crashes, so nobody else may use it; what it says is committed has to survive that."""
    running = pg.Server(synchronous_commit="on")
    try:
        yield running.start()
    finally:
        running.stop()


# ---- what a database holds ---------------------------------------------------------------

class Image:
    """All that a run may write, and where it lies."""

    def __init__(self, db):
        names = db.naming
        kinds = {"rows": names.row, "campaigns": names.campaign, "people": "contacts_contact",
                  "instances": names.instance, "logs": names.log}
        found = json.loads(db.sql("SELECT json_build_object(%s);" % ", ".join(
            "'%s', (SELECT coalesce(json_agg(t ORDER BY to_json(t)->>'id'), '[]') FROM %s t),"
            " 'where %s', (SELECT json_agg(concat(ctid, xmin) ORDER BY ctid) FROM %s)"
            % (key, table, key, table) for key, table in kinds.items())))
        self.naming = names
        self.rows = {r["id"]: r for r in found["rows"]}
        self.campaigns = {c["id"]: c for c in found["campaigns"]}
        self.people = {p["id"]: p for p in found["people"]}
        self.instances = found["instances"]
        self.logs = {}
        for log in found["logs"]:
            self.logs.setdefault(log["campaign_contact_id"], []).append(_lasting(log))
        for kept in self.logs.values():
            kept.sort(key=lambda log: (log["log_type"], log["message"]))
        self.versions = {key: found["where " + key] for key in kinds}

    def written_since(self, before):
        return {id for id, row in self.rows.items() if row != before.rows[id]}

    def counters(self, campaign):
        return {k: self.campaigns[campaign][column] for k, column in self.naming.counters.items()
                if k != "total"}

    def counted(self, campaign):
        rows = [r for r in self.rows.values() if r["campaign_id"] == campaign]
        return {k: n for k, n in decide.counters(rows).items() if k != "total"}

    def contents(self):
        return self.rows, self.campaigns, self.people, self.instances, self.logs


def _lasting(log):
    """A log row without what differs from run to run. How often a poll had asked before does."""
    kept = {k: v for k, v in log.items() if k not in ("id", "created_at")}
    details = {k: v for k, v in (log["details"] or {}).items() if k != "run"}
    details["evidence"] = {k: v if not v[0].startswith("api:") else v[0]
                           for k, v in details.get("evidence", {}).items()}
    return dict(kept, details=details)


def assert_whole(before, now, final):
    """Every row is as it was or as it will be, with all or nothing of what goes with it."""
    written = now.written_since(before)
    for id, row in now.rows.items():
        stage = final if id in written else before
        assert row == stage.rows[id], "row %s is half written" % id
        assert now.logs.get(id) == stage.logs.get(id), "log rows of row %s" % id
        person = row["contact_id"]
        assert now.people[person] == stage.people[person], "contact of row %s" % id
    assert set(now.logs) <= set(now.rows)
    for id, campaign in now.campaigns.items():
        columns = now.naming.counters.values()
        assert {k: v for k, v in campaign.items() if k not in columns} == {
            k: v for k, v in before.campaigns[id].items() if k not in columns}
        if any(now.rows[r]["campaign_id"] == id for r in written):
            assert now.counters(id) == now.counted(id), "counters of campaign %s" % id
        else:
            assert now.counters(id) in (before.counters(id), now.counted(id))
    return written


# ---- the commands ------------------------------------------------------------------------

class Bench:
    """A database that is put back before each run, and runs of one command against it."""

    def __init__(self, server, directory, seed):
        self.server = server
        self.directory = directory
        self.seed = seed
        self.variant = VARIANTS[seed % len(VARIANTS)]
        self.mode = MODES[seed // len(VARIANTS) % len(MODES)]
        self.db = server.database("killed", self.variant)
        self.content = ""  # SQL
        self.maintenance = server.database("postgres")

    def fill(self, sql):
        self.maintenance.sql("CREATE DATABASE killed")
        self.db.sql(pg.schema(self.variant))
        self.content = sql
        self.reset()

    def stop(self):
        self.maintenance.sql("".join("DROP DATABASE IF EXISTS %s WITH (FORCE);\n" % name
                                     for name in ("killed", "aside")))

    def reset(self):
        self.db.sql("TRUNCATE tenancy_tenant RESTART IDENTITY CASCADE;\n" + self.content)
        for journal in self.journals():
            journal.unlink()

    def set_aside(self):
        """What the database holds is kept; revert knows a database by its name."""
        self.maintenance.sql("ALTER DATABASE killed RENAME TO aside;\n"
                             "CREATE DATABASE killed TEMPLATE aside;")

    def take_back(self):
        self.maintenance.sql("DROP DATABASE killed WITH (FORCE);\n"
                             "ALTER DATABASE aside RENAME TO killed;")

    def journals(self):
        return sorted((self.directory / "state").glob("journal-*"))

    def env(self):
        return tool.environment(self.directory, RECONCILE_NOW=NOW)

    def start(self, db):
        program, arguments = self.command()
        return tool.start(program, arguments + ["-d", db.conninfo(), "--recheck", "0"] + self.mode,
                          self.directory, self.env())

    def run(self):
        return tool.finish(self.start(self.db))

    def revert(self):
        journal, = self.journals()
        return tool.run("reconcile", ["revert", "-d", self.db.conninfo(), "--recheck", "0",
                                      "--no-journal", journal], self.directory, env=self.env())

    def wait_alone(self):
        """Until the server has noticed who has gone; nothing of them may stay."""
        deadline = time.monotonic() + 30
        while self.maintenance.sql("SELECT count(*) FROM pg_stat_activity"
                                   " WHERE datname = 'killed'").strip() != "0":
            assert time.monotonic() < deadline, "a backend stays"
            time.sleep(0.02)
        left = self.maintenance.sql(
            "SELECT (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE d.datname = 'killed'), (SELECT count(*) FROM pg_prepared_xacts)")
        assert left.strip() == "0|0", "a lock or a transaction stays"


class Replays(Bench):
    name = "replay"

    def __init__(self, server, directory, seed):
        super().__init__(server, directory, seed)
        world = worlds.Maker("killed %d" % seed, self.variant, odd_rows=seed % 2 == 1,
                             span=SPAN).make()
        world.save(directory)
        self.archives = sorted(world.archives)
        self.fill(tables.write(self.db.naming, world.tenants, world.tables))

    def command(self):
        return "replay", ["--apply", "--all", "--settle", "0",
                          "--instance-health"] + OPEN + self.archives


class Plans(Replays):
    name = "apply"

    def fill(self, sql):
        super().fill(sql)
        done = tool.run("replay", ["-d", self.db.conninfo(), "--all", "--settle", "0",
                                   "--plan-out", "plan.gz"] + OPEN + self.archives,
                        self.directory, env=self.env())
        assert done.status in (1, 3), done

    def command(self):
        return "reconcile", ["apply", "--instance-health", "plan.gz"]


class PollRuns(Bench):
    name = "poll"

    def __init__(self, server, directory, seed):
        super().__init__(server, directory, seed)
        self.polls = Polls(directory)
        shop = busy_shop(self.variant, seed, rows=60)
        self.polls.serve(shop, version="1.8" if seed % 3 == 2 else "2.3")
        self.fill(tables.write(self.db.naming, shop.tenants, shop.tables) +
                  shop.more_sql(self.db.naming))

    def env(self):
        return self.polls.environment()

    def command(self):
        return "reconcile", ["poll", "--apply", "--page-size", "10"]

    def stop(self):
        super().stop()
        for g in self.polls.gateways:
            g.stop()


BENCHES = {b.name: b for b in (Replays, PollRuns, Plans)}


class Undisturbed:
    """What a run does that nobody disturbs."""

    def __init__(self, bench, proxy):
        bench.reset()
        self.before = Image(bench.db)
        child = bench.start(proxy.database("killed", bench.variant))
        proxy.watch(child)
        self.status = tool.finish(child).status
        self.moments = dict(proxy.seen)
        self.final = Image(bench.db)
        self.again = bench.run().status
        assert self.status in (0, 3) and self.again in (0, 3)
        assert Image(bench.db).versions == self.final.versions
        assert len(self.final.written_since(self.before)) > 10, "it is worth while"


# ---- ending them -------------------------------------------------------------------------

def strike_with(how, bench, proxy, child):
    """What ends the run. It says whether the request that it strikes still goes its way."""
    def signals():
        child.send_signal(getattr(signal, how))
        if how == "SIGKILL":
            child.wait()
        return how != "SIGKILL"

    def terminate():
        bench.maintenance.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE datname = 'killed'")
        return True

    def cut():
        proxy.cut()
        return False

    def crash():
        bench.server.crash(proxy.cut)
        return False

    return {"terminate": terminate, "cut": cut, "crash": crash}.get(how, signals)


def draw(rng, moments):
    what = pgproxy.COMMIT if rng.random() < 1 / 3 else pgproxy.REQUEST
    return pgproxy.Moment(what, rng.randint(1, moments[what]), rng.choice(pgproxy.PLACES),
                          rng.uniform(0, 0.01))


def assert_told(how, done, bench, undisturbed, now):
    """The status is the documented one, and stderr tells what is committed."""
    written = now.written_since(undisturbed.before)
    if done.status == undisturbed.status:  # it was struck too late to change anything
        assert now.contents() == undisturbed.final.contents() and done.out
        return
    if how == "SIGKILL":
        assert done.status == -signal.SIGKILL, done
        return
    if how in SIGNALS:
        assert done.status == 128 + getattr(signal, how), done
    else:
        assert done.status == 4, done
    told = COMMITTED.search(done.said)
    doubt = IN_DOUBT.search(done.said)
    if told is None:
        assert not written and "could not connect" in done.said, done
        return
    corrections, _, campaigns = (int(n or 0) for n in told.groups())
    assert len(written) - corrections in (0, int(doubt.group(1)) if doubt else 0), done
    if not doubt:
        changed = [id for id in now.campaigns
                   if now.counters(id) != undisturbed.before.counters(id)]
        assert len(changed) <= campaigns <= len(now.campaigns), done
    if written:
        assert "to undo" in (done.said + done.out.decode()).lower(), done
        assert str(bench.journals()[0]) in done.said + done.out.decode()


def assert_undone(bench, before, written):
    """Revert restores what was there before; or there is nothing to restore."""
    if not bench.journals():
        assert not written
        return
    done = bench.revert()
    if done.status == 4:
        assert not written and ("header" in done.said or "is empty" in done.said), done
        return
    now = Image(bench.db)
    assert done.status == 0, done
    assert now.rows == before.rows, done
    for id in now.campaigns:
        assert now.counters(id) in (before.counters(id), now.counted(id))
    for id in {before.rows[r]["campaign_id"] for r in written}:
        assert now.counters(id) == now.counted(id)


def kill_once(bench, undisturbed, proxy, how, moment):
    """Ends a run at the moment, looks at what it left, undoes it in a copy, and goes on."""
    bench.reset()
    child = bench.start(proxy.database("killed", bench.variant))
    try:
        proxy.watch(child, moment, strike_with(how, bench, proxy, child))
    finally:
        if child.poll() is None:
            child.kill()
        done = tool.finish(child)
    print("struck %r: status %d, %s" % (proxy.struck and proxy.struck[:60], done.status,
                                        done.said.strip()))
    bench.wait_alone()
    before = undisturbed.before
    now = Image(bench.db)
    written = assert_whole(before, now, undisturbed.final)
    assert_told(how, done, bench, undisturbed, now)
    bench.set_aside()
    assert_undone(bench, before, written)
    bench.take_back()
    rerun = bench.run()
    assert rerun.status == undisturbed.status, rerun
    final = Image(bench.db)
    assert final.contents() == undisturbed.final.contents()
    again = bench.run()
    assert again.status == undisturbed.again, again
    assert Image(bench.db).versions == final.versions
    return proxy.struck is not None


WAYS = ("SIGKILL", "terminate", "cut", "SIGTERM", "SIGINT", "crash")


@pytest.fixture(scope="module")
def bench_of(own_server, tmp_path_factory):
    """command, seed -> its bench and the undisturbed run; there is one at a time."""
    held = {}

    def get(name, seed):
        if (name, seed) not in held:
            drop()
            bench = BENCHES[name](own_server, tmp_path_factory.mktemp(name), seed)
            held[name, seed] = (bench, None)
            with pgproxy.Proxy(own_server) as proxy:
                held[name, seed] = (bench, Undisturbed(bench, proxy))
        return held[name, seed]

    def drop():
        for bench, _ in held.values():
            bench.stop()
        held.clear()

    yield get
    drop()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", sorted(BENCHES))
def test_ended_anywhere_a_run_leaves_nothing_half_done_and_can_be_undone_or_gone_on_with(
        own_server, bench_of, name, how):
    rng = random.Random("killed %s %s %s" % (SEED, name, how))
    struck = 0
    for number in range(SOAK or 2):
        seed = sorted(BENCHES).index(name) + number // ROUNDS_PER_WORLD
        bench, undisturbed = bench_of(name, seed)
        moment = draw(rng, undisturbed.moments)
        print("SOAK_SEED=%s, world %d, round %d: %s, %s at %r" % (SEED, seed, number + 1, name, how,
                                                                 moment))
        with pgproxy.Proxy(own_server) as proxy:
            struck += kill_once(bench, undisturbed, proxy, how, moment)
    assert struck >= (SOAK or 2) // 2, "most moments come"
