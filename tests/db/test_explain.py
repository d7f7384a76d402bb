"""--explain: everything known about one message, and the rule that decided it."""

import pytest

import gateway
import tool
import world as worlds
from runs import OPEN
from test_apply import SENT
from test_effects import at
from test_poll import NOW, Shop, polls  # noqa: F401


def explained(runs, db, *arguments, status=1, id="M"):
    done, report = runs.report(db, "--explain", id, *OPEN, *arguments)
    assert done.status == status, done
    assert report["explain"]["message_id"] == id
    return report["explain"]


def world_of(server, directory, world, variant="deployed"):
    world.save(directory)
    return world.create(server, variant)


def test_every_event_and_the_rule_are_told(server, runs, tmp_path):
    world = worlds.single("sent", sent_at=SENT)
    world.archives = {
        "b": worlds.line("loja", "M", "READ", at(11)) + worlds.line("loja", "OTHER", "READ", at(11)),
        "a": worlds.line("loja", "M", "READ", at(12)) + worlds.line("loja", "M", "PENDING", at(9)) +
             worlds.line("LOJA ", "M", "READ", at(10, 30))}
    db = world_of(server, tmp_path, world)
    x = explained(runs, db, "a", "b")
    assert [(e["instance"], e["status"], e["time"][11:16], e["archive"], e["record"], e["used"])
            for e in x["events"]] == [
        ("loja", "pending", "09:00", "a", 2, True), ("LOJA ", "read", "10:30", "a", 3, True),
        ("loja", "read", "11:00", "b", 1, True), ("loja", "read", "12:00", "a", 1, True)]
    row = world.tables.rows[0]
    assert x["row"] == {
        "campaign_contact": row["id"], "campaign": row["campaign_id"], "status": "sent",
        "sent_at": "2025-10-20T10:00:00.000000Z", "delivered_at": None, "read_at": None,
        "failed_at": None, "error_message": None}
    assert x["decision"]["cause"] == "missed_webhook"
    assert x["decision"]["after"] == {
        "status": "read", "sent_at": "2025-10-20T10:00:00.000000Z",
        "delivered_at": "2025-10-20T10:30:00.000000Z", "read_at": "2025-10-20T10:30:00.000000Z",
        "failed_at": None, "error_message": None}
    assert x["rule"] == (
        "merge: known are sent (row), delivered (follows from read), read (evidence); the highest"
        " is read; delivered_at is taken from the final read_at; read_at is that of the evidence;"
        " missed_webhook")
    text = runs.run(db, "--explain", "M", *OPEN, "a", "b").out.decode()
    assert "Message M\n  4 events, by their times\n" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "--apply" not in line), text
    assert "\n    is      sent\n" in text and "\n    to be   read\n" in text


@pytest.mark.parametrize("status,evidence,arguments,rule", [
    ("pending", [("READ", at(11))], [], "requeued: a pending row is never corrected"),
    ("bounced", [("READ", at(11))], [], "left alone: its status is not known"),
    ("sending", [("PENDING", at(11))], [],
     "left alone: nothing proves that a sending row was sent"),
    ("sent", [("SENT", at(10))], [], "the row says so already"),
    ("delivered", [("ERROR", at(11))], [], "failed wins (--failed-wins always)"),
    ("sent", [("READ", None)], ["--settle", "0"], "the approximate time of the evidence"),
    ("sent", [("READ", at(11))], ["--settle", "9999d"],
     "deferred to the next run: younger than --settle"),
    ("sent", [("READ", at(11))], ["--rebuild", "--accept-partial"], "rebuild: known are"),
])
def test_each_way_of_deciding_has_its_words(server, runs, tmp_path, status, evidence, arguments,
                                            rule):
    db = world_of(server, tmp_path, worlds.single(status, evidence, sent_at=SENT))
    done, report = runs.report(db, "--explain", "M", *OPEN, *arguments, "a")
    assert done.status in (0, 1), done
    assert rule in report["explain"]["rule"]


def test_evidence_that_may_not_speak_is_shown_as_such(server, runs, tmp_path):
    world = worlds.single("sent", [("READ", at(11))], sent_at=SENT)
    world.archives["a"] = worlds.line("another", "M", "READ", at(11))
    db = world_of(server, tmp_path, world)
    x = explained(runs, db, "a", "--all", status=3)
    assert [e["used"] for e in x["events"]] == [False]
    assert x["rule"].startswith("what was seen is ambiguous, or of an instance that may not speak")
    assert x["decision"]["cause"] is None
    x = explained(runs, db, "a", status=3)
    assert "out of scope" in x["rule"]


def test_a_message_nobody_knows(server, runs, tmp_path):
    db = world_of(server, tmp_path, worlds.single("sent", [("READ", at(11))], sent_at=SENT))
    x = explained(runs, db, "a", id="never seen")
    assert x["events"] == [] and x["row"] is None and x["decision"] is None
    assert x["rule"] == "no row of the database bears this message id"


def test_offline_the_events_alone_are_told(runs, tmp_path):
    world = worlds.single("sent", [("READ", at(11))])
    world.save(tmp_path)
    done = tool.run("replay", ["--offline", "--explain", "M", "--status-codes", "app", "a"], tmp_path)
    assert done.status == 0 and b"1 event, by its time" in done.out, done


def test_states_are_evidence_too(server, runs, tmp_path):
    world = worlds.single("sent", [("DELIVERED", at(10, 40)), ("READ", at(11))], sent_at=SENT)
    db = world_of(server, tmp_path, world)
    tool.run("replay", ["--offline", "--states-out", "s", "a"], tmp_path)
    events = explained(runs, db, "a")["events"]
    assert explained(runs, db, "--states-in", "s")["events"] == events
    assert explained(runs, db, "--states-in", "s", "a")["events"] == events


def test_a_poll_and_an_audit_explain_too(server, polls):
    shop = Shop()
    shop.row(shop.campaign(), "M", instance=shop.instance("loja"), delivered_at=NOW - 3600)
    shop.knows("loja", "M", "READ")
    db = shop.create(server)
    polls.serve(shop)
    done, report = polls.report(db, "--explain", "M")
    assert done.status == 1, done
    x = report["explain"]
    assert [(e["archive"], e["record"], e["approximate"], e["used"]) for e in x["events"]] == [
        ("api:loja", 1, True, True)]
    assert "the approximate time of the evidence" in x["rule"]
    done, report = polls.report(db, "--explain", "M", "--apply")
    assert done.status == 0 and report["explain"]["row"]["status"] == "sent", done
    assert gateway.KEY not in str(report)


def test_many_threads_show_the_same(server, runs, tmp_path):
    world = worlds.single("sent", sent_at=SENT)
    world.archives = {"f%02d" % n: worlds.line("loja", "M", "READ", at(11, n % 60)) * 50
                      for n in range(40)}
    names = sorted(world.archives)
    db = world_of(server, tmp_path, world)
    first = explained(runs, db, "-j", "1", *names)
    assert len(first["events"]) == 2000
    assert explained(runs, db, "-j", "8", *reversed(names)) == first
