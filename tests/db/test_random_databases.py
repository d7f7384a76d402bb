"""Random databases and archives, every policy: rows, counters and counts as the oracle's."""

import random

import pytest

import tables
import tool
import world as worlds
from oracle import database, decide, events, times
from runs import OPEN, assert_rows, shown, states_of, stored_counters

CASES = range(24)
VARIANTS = ("deployed", "design", "bigint", "design-bigint")


def policy_of(rng):
    """A policy, whether every instance speaks, the scope, the dialect, and their options."""
    kind = {
        "rebuild": rng.random() < 0.35,
        "failed_wins": rng.choice(["always", "unless-delivered"]),
        "timestamps": rng.choice(["fill", "fill", "earliest"]),
        "time_tolerance": rng.choice([60, 60, 0, 36000]),
        "approximate_times": rng.choice(["observed", "observed", "null"]),
        "settle": 0,
    }
    options = ["--failed-wins", kind["failed_wins"], "--timestamps", kind["timestamps"],
               "--time-tolerance", str(kind["time_tolerance"]),
               "--approximate-times", kind["approximate_times"], "--settle", "0"]
    if kind["rebuild"]:
        options += ["--rebuild", "--accept-partial"]
    any_instance = rng.random() < 0.2
    if any_instance:
        options += ["--any-instance"]
    scope = "all" if rng.random() < 0.5 else None
    if scope:
        options += ["--all"]
    codes = rng.choice(["app", "baileys"])
    options += ["--status-codes", codes, "--accept-clock"]
    return decide.Policy(**kind), any_instance, scope, codes, options


def differing(before, result):
    """Campaigns in scope that a run corrects or recounts."""
    return {c["id"] for c in before.campaigns if c["id"] in result.counters and (
        any(result.counters[c["id"]][k] != c[k] for k in ("sent", "delivered", "read", "failed"))
        or any(r["id"] in result.cause for r in before.rows if r["campaign_id"] == c["id"]))}


def assert_report(report, before, result, applied):
    messages = dict(result.messages, conflicts=0, busy=0)
    assert {k: report["messages"][k] for k in messages} == messages
    assert report["causes"] == result.causes
    assert report["run"]["applied"] is applied
    named = {c["id"]: c for c in report["campaigns"]}
    stored = {str(c["id"]): c for c in before.campaigns}
    expected = {str(campaign): campaign for campaign in differing(before, result)}
    assert set(expected) <= set(named) <= set(expected) | set(map(str, result.left_alone))
    for campaign, key in expected.items():
        count = result.counters[key]
        for name, value in named[campaign]["counters"].items():
            assert value == {"stored": stored[campaign][name], "recomputed": count[name]}
        assert named[campaign]["delivery_rate"] == decide.rate(count["delivered"], count["sent"])
        assert named[campaign]["read_rate"] == decide.rate(count["read"], count["delivered"])


def assert_corrections(report, before, result):
    """The report's list is the oracle's, by campaign and row id."""
    rows = sorted((r for r in before.rows if r["id"] in result.cause),
                  key=lambda r: (r["campaign_id"], r["id"]))
    listed = report["corrections"]
    assert [c["campaign_contact"] for c in listed] == [str(r["id"]) for r in rows]
    for told, row in zip(listed, rows):
        assert told["campaign"] == str(row["campaign_id"])
        assert told["message_id"] == row["whatsapp_message_id"]
        assert told["cause"] == result.cause[row["id"]]
        assert told["before"] == shown(row)
        assert told["after"] == shown(result.rows[row["id"]])


@pytest.mark.parametrize("seed", CASES)
def test_rows_and_counters_are_the_oracles(server, runs, tmp_path, seed):
    rng = random.Random("policy %d" % seed)
    variant = VARIANTS[seed % len(VARIANTS)]
    policy, any_instance, scope, codes, options = policy_of(rng)
    world = worlds.Maker(seed, variant, odd_rows=seed % 6 == 5).make()
    names = world.save(tmp_path)
    db = world.create(server, variant)
    before = tables.read(db)
    states, _ = states_of(tmp_path, names, events.Options(codes))
    result = database.run(before, states, policy, any_instance, scope)
    skipped = result.left_alone or result.messages["ambiguous"] + result.messages["instance_mismatch"]

    untouched = db.versions()
    done, report = runs.report(db, "--details", *options, *names)
    assert done.status == (3 if skipped else 1 if differing(before, result) else 0), done
    assert_report(report, before, result, False)
    assert_corrections(report, before, result)
    assert db.versions() == untouched

    done, report = runs.report(db, "--apply", *options, *names)
    assert done.status == (3 if skipped else 0), done
    assert_report(report, before, result, True)
    assert_rows(db, result.rows, " ".join(options))
    for campaign, stored in stored_counters(db).items():
        old = next(c for c in before.campaigns if c["id"] == campaign)
        want = dict(result.counters.get(campaign, old), total=old["total"])
        assert stored == {k: want[k] for k in stored}

    written = db.versions()
    done, report = runs.report(db, "--apply", *options, *names)
    assert done.status == (3 if skipped else 0), done
    assert report["messages"]["updated"] == 0
    assert db.versions() == written


@pytest.mark.parametrize("seed", range(6))
def test_slices_applied_in_any_order_end_alike(server, runs, tmp_path, seed):
    rng = random.Random("slices %d" % seed)
    variant = VARIANTS[seed % len(VARIANTS)]
    world = worlds.Maker("slices %d" % seed, variant, campaigns=3, rows=40).make()
    names = world.save(tmp_path)
    options = OPEN + ["--settle", "0", "--failed-wins", rng.choice(["always", "unless-delivered"])]
    ends = []
    for order in (None, names, rng.sample(names, len(names)), names[::-1]):
        db = world.create(server, variant)
        for slice_ in [names] if order is None else [[name] for name in order]:
            done = runs.run(db, "--apply", *options, *slice_)
            assert done.status in (0, 3), done
        after = tables.read(db)
        ends.append(([(r["id"], r["status"]) for r in after.rows], stored_counters(db)))
    assert all(end == ends[0] for end in ends[1:])
    assert ends[0][0] != [(r["id"], r["status"]) for r in world.tables.rows]


def test_states_folded_on_another_machine_correct_the_same(server, runs, tmp_path):
    world = worlds.Maker("elsewhere", "deployed").make()
    names = world.save(tmp_path)
    ends = []
    for evidence in (names, None):
        db = world.create(server, "deployed")
        if evidence is None:
            for number, name in enumerate(names):
                tool.run("replay", ["--offline", "--status-codes", "app", "-o", "r",
                                    "--states-out", "s%d.gz" % number, name], tmp_path)
            evidence = ["--states-in=s%d.gz" % number for number in range(len(names))]
        done = runs.run(db, "--apply", "--settle", "0", *OPEN, *evidence)
        assert done.status in (0, 3), done
        after = tables.read(db)
        ends.append((after.rows, after.campaigns))
    assert ends[0] == ends[1]
    assert ends[0][0] != tables.read(world.create(server, "deployed")).rows


@pytest.mark.parametrize("order", ["given", "reversed"])
@pytest.mark.parametrize("options", [["-j", "1"], ["-j", "4", "--batch", "3"],
                                     ["--single-transaction"], ["--batch", "1"]])
def test_jobs_and_batches_change_nothing(server, runs, tmp_path, options, order):
    world = worlds.Maker("batches", "design").make()
    names = world.save(tmp_path)
    db = world.create(server, "design")
    before = tables.read(db)
    states, _ = states_of(tmp_path, names)
    result = database.run(before, states, decide.Policy(settle=0))
    given = names if order == "given" else names[::-1]
    done = runs.run(db, "--apply", "--settle", "0", *OPEN, *options, *given)
    assert done.status in (0, 3), done
    assert_rows(db, result.rows)
    for campaign, count in result.counters.items():
        stored = stored_counters(db)[campaign]
        assert {k: stored[k] for k in count if k != "total"} == {
            k: v for k, v in count.items() if k != "total"}


@pytest.mark.parametrize("settle", ["15m", "36h", "2d", "0"])
def test_rows_younger_than_settle_wait_for_the_next_run(server, runs, tmp_path, settle):
    world = worlds.Maker("settle", "deployed", rows=120).make()
    names = world.save(tmp_path)
    db = world.create(server, "deployed")
    before = tables.read(db)
    states, _ = states_of(tmp_path, names)
    now = worlds.START + worlds.SPAN
    seconds = {"15m": 900, "36h": 36 * 3600, "2d": 2 * 86400, "0": 0}[settle]
    result = database.run(before, states, decide.Policy(settle=seconds), now=now)
    if seconds > 900:
        assert result.messages["deferred"] > 10 and result.messages["updated"] > 10
    env = tool.environment(tmp_path, RECONCILE_NOW=times.show(now * 1000000))
    done, report = runs.report(db, "--apply", "--settle", settle, *OPEN, *names, env=env)
    assert done.status in (0, 3), done
    assert_report(report, before, result, True)
    assert_rows(db, result.rows)
