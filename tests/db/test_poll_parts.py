"""reconcile poll --apply writes as it goes: what a poll that ends early keeps, and that it ends as
the dry run said it would."""

import signal
import time

import pytest

import tables
import tool
from test_poll import DAY, HOUR, MINUTE, NOW, SECOND, Shop, consistent, polls, statuses  # noqa: F401
from runs import shown, stored_counters


def until(condition, child=None, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        assert child is None or child.poll() is None
        time.sleep(0.02)


def count_read(db):
    return sum(s == "read" for s in statuses(db).values())


def stop(child, sign=signal.SIGTERM):
    child.send_signal(sign)
    return tool.finish(child)


@pytest.mark.parametrize("strategy", ["message", "window"])
def test_an_instance_that_is_interrupted_keeps_whole_batches(server, polls, strategy):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 60)
    polls.serve(shop, faults=[{"fault": "stall", "chance": 0.1}], seed=4)
    db = shop.create(server)
    child = polls.start(db, "--apply", "--strategy", strategy, "--connections", "1",
                        "--batch", "5", "--page-size", "5")
    until(lambda: count_read(db) >= 5, child)
    time.sleep(0.3)
    done = stop(child)
    read = count_read(db)
    assert done.status == 143 and 5 <= read < 60, done
    assert "%d correction(s) had been committed" % read in done.said
    assert {k: dict(v, total=0) for k, v in consistent(db).items()} == stored_counters(db)
    polls.serve(shop)
    assert polls.run(db, "--apply").status == 0
    assert count_read(db) == 60


def test_what_tells_times_is_judged_whole_before_it_is_written(server, polls):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 60)
    polls.serve(shop, version="1.8", faults=[{"fault": "stall", "chance": 0.1}], seed=4)
    db = shop.create(server)
    before = db.versions()
    child = polls.start(db, "--apply", "--connections", "1", "--batch", "5")
    time.sleep(1)
    assert child.poll() is None
    assert stop(child).status == 143
    assert db.versions() == before


def test_a_clock_is_judged_by_rows_that_have_no_sent_at_too(server, polls):
    """They show nothing of the clock, but must not be written before it is judged."""
    shop = Shop()
    campaign, wrong, other = shop.campaign(), shop.instance("wrong"), shop.instance("other")
    for n in range(20):
        shop.row(campaign, "A%02d" % n, instance=wrong, sent=NOW - HOUR)
        shop.knows("wrong", "A%02d" % n, "READ", at=NOW - 4 * HOUR)
    for n in range(4):  # the first that are asked about
        shop.row(campaign, "0%d" % n, "sending", sent=None, created=NOW - 2 * HOUR, instance=wrong)
        shop.knows("wrong", "0%d" % n, "READ", at=NOW - 4 * HOUR)
    shop.row(campaign, "B", instance=other)
    shop.knows("other", "B", "READ")
    db = shop.create(server)
    polls.serve(shop, version="1.8")
    arguments = ["--strategy", "message", "--connections", "1", "--batch", "1"]
    dry = polls.report(db, *arguments)[1]["messages"]["updated"]
    done, report = polls.report(db, "--apply", *arguments)
    assert done.status == 3 and report["messages"]["updated"] == dry == 1, done
    assert sorted(set(statuses(db).values())) == ["read", "sending", "sent"]


def test_a_later_record_may_take_a_failure_back(server, polls):
    """Two records of one id on two pages: what the first says is not all."""
    shop = Shop()
    campaign, loja = shop.campaign(), shop.instance("loja")
    for n in range(3):
        shop.row(campaign, "M%d" % n, instance=loja, sent=NOW - DAY + n)
        shop.knows("loja", "M%d" % n, "ERROR", sent=NOW - DAY + n)
        shop.knows("loja", "M%d" % n, "READ", sent=NOW - DAY - 60 + n)
    db = shop.create(server)
    polls.serve(shop)
    done = polls.run(db, "--apply", "--strategy", "window", "--page-size", "1", "--batch", "1",
                     "--failed-wins", "unless-delivered")
    assert done.status == 0, done
    assert all(r["status"] == "read" and r["failed_at"] is None for r in tables.read(db).rows)
    assert db.sql("SELECT count(*) FROM campaigns_log WHERE log_type = 'message_failed'").strip() == "0"


def test_a_row_asked_about_at_several_is_written_once_by_all_they_said(server, polls):
    """One tells an earlier time, and tells it later: the dry run knew, so must the other."""
    shop = Shop()
    names = ["swift", "slow"]
    campaign = shop.campaign(instances=[shop.instance(n) for n in names])
    for n in range(6):
        shop.row(campaign, "M%d" % n)
        shop.knows("swift", "M%d" % n, "READ", at=NOW - 2 * HOUR)
        shop.knows("slow", "M%d" % n, "DELIVERY_ACK", "READ", at=NOW - 3 * HOUR)
    faults = [{"fault": "slow", "seconds": 0.3, "instance": "slow"}]
    db = shop.create(server)
    polls.serve(shop, version="1.8", faults=faults)
    done, dry = polls.report(db, "--details", "--batch", "1")
    assert done.status == 1, done
    done, report = polls.report(db, "--details", "--batch", "1", "--apply")
    assert done.status == 0, done
    for key in ("messages", "causes", "corrections", "campaigns"):
        assert report[key] == dry[key], key
    assert report["messages"]["updated"] == 6
    assert {shown(r)["read_at"] for r in tables.read(db).rows} == \
        {"%s" % c["after"]["read_at"] for c in dry["corrections"]}
    assert {r["read_at"] for r in tables.read(db).rows} == {(NOW - 3 * HOUR + MINUTE) * SECOND}


def unnamed_numbers_come_last(server, polls):
    """Words at one instance; then, at another, a number that only the other dialect has."""
    shop = Shop()
    shop.sell(shop.campaign("words"), shop.instance("words"), "words", 10, prefix="W")
    shop.row(shop.campaign("numbers"), "N", instance=shop.instance("numbers"))
    shop.row(shop.tables.campaigns[-1]["id"], "P", instance=shop.tables.instances[-1]["id"])
    shop.knows("numbers", "N", 3)
    shop.knows("numbers", "P", 4)
    polls.serve(shop, faults=[{"fault": "slow", "seconds": 1, "instance": "numbers"}])
    return shop.create(server)


def test_numbers_met_late_are_not_written_and_what_was_is_told(server, polls):
    db = unnamed_numbers_come_last(server, polls)
    done, report = polls.report(db, "--apply", "--details")
    assert done.status == 4, done
    assert "10 correction(s) had been committed in " in done.said
    assert "with the counters of 1 campaign(s): nothing more was written" in done.said
    assert sorted(statuses(db).values()) == ["read"] * 10 + ["sent"] * 2
    assert report["run"]["applied"] and report["messages"]["updated"] == 11
    assert any("10 correction(s) had been written before" in w for w in report["warnings"])
    assert any("--status-codes" in w for w in report["warnings"])
    assert sorted(c["corrections"] for c in report["campaigns"]) == [1, 10]


def test_warnings_of_a_report_do_not_follow_who_answered_first(server, polls):
    """Two clocks are wrong, two instances unknown; each time others are slow."""
    shop = Shop()
    campaign = shop.campaign()
    for name in ("Y", "X", "B", "A"):
        instance = shop.instance(name)
        for n in range(8):
            shop.row(campaign, "%s%d" % (name, n), instance=instance)
            if name in "AB":
                shop.knows(name, "%s%d" % (name, n), "READ", at=NOW - DAY - 4 * HOUR)
    db = shop.create(server)
    told = []
    for slow, arguments in (("A", []), ("B", []), ("A", ["--apply"]), ("B", ["--apply"])):
        polls.serve(shop, version="1.8", instances=["A", "B"], faults=[
            {"fault": "slow", "seconds": 0.3, "instance": slow},
            {"fault": "slow", "seconds": 0.3, "instance": {"A": "X", "B": "Y"}[slow]}])
        done, report = polls.report(db, "--settle", "0", *arguments)
        assert done.status == 3, done
        assert {line.split(": ", 2)[2] for line in done.lines} == set(report["warnings"])
        told.append([w.replace(polls.url, "URL") for w in report["warnings"]])
    assert all(warnings == told[0] for warnings in told), told
    assert [w.split('"')[1] for w in told[0]] == ["X", "Y", "A", "B"]


def test_the_text_tells_what_a_refusal_came_after(server, polls):
    db = unnamed_numbers_come_last(server, polls)
    done = polls.run(db, "--apply")
    text = done.out.decode()
    assert done.status == 4 and ": refused\n" in text.splitlines(True)[0]
    assert "refused: nothing more was written of 1 correction and 1 campaign's counters" in text


def test_a_campaign_that_is_whole_only_in_the_end_is_not_left_alone(server, polls):
    """Rows that wait for an answer are as wrong as they were; that breaks no invariant."""
    shop = Shop()
    campaign = shop.campaign()
    swift, slow = shop.instance("swift"), shop.instance("slow")
    for n in range(3):
        shop.row(campaign, "S%d" % n, instance=swift)
        shop.knows("swift", "S%d" % n, "DELIVERY_ACK", at=NOW - 2 * HOUR)
        shop.row(campaign, "T%d" % n, instance=slow, read_at=NOW - HOUR)
        shop.row(campaign, "U%d" % n, instance=slow, read_at=NOW - HOUR)
        shop.knows("slow", "T%d" % n, "READ", at=NOW - 2 * HOUR)
        shop.knows("slow", "U%d" % n, "READ", at=NOW - 2 * HOUR)
    polls.serve(shop, faults=[{"fault": "slow", "seconds": 0.5, "instance": "slow"}])
    db = shop.create(server)
    done, report = polls.report(db, "--apply")
    assert done.status == 0 and not report["warnings"], done
    assert report["messages"]["updated"] == 9
    assert sorted(statuses(db).values()) == ["delivered"] * 3 + ["read"] * 6
    assert {k: dict(v, total=0) for k, v in consistent(db).items()} == stored_counters(db)


def test_rows_that_nobody_answers_for_are_corrected_all_the_same(server, polls):
    shop = Shop()
    campaign = shop.campaign()
    loja = shop.instance("loja")
    shop.row(campaign, "A", instance=loja)
    shop.knows("loja", "A", "READ")
    shop.row(campaign, "B", instance=loja, delivered_at=NOW - HOUR)  # overwritten
    shop.row(campaign, "C", "read", instance=loja, read_at=NOW - HOUR)  # inconsistent
    db = shop.create(server)
    polls.serve(shop)
    _, dry = polls.report(db, "--details")
    done, report = polls.report(db, "--apply", "--details")
    assert done.status == 0, done
    for key in ("messages", "causes", "campaigns"):
        assert report[key] == dry[key], key
    assert report["messages"]["updated"] == 3
    assert report["messages"]["updated_without_evidence"] == 2
