"""Gaps: stretches of messages without a receipt between lively ones, and what fills them."""

import json
import shlex

import pytest

import tables
import tool
import world as worlds
from oracle import times
from runs import OPEN, Runs
from test_poll import DAY, NOW, SECOND, Polls, Shop, text

START = NOW - 5 * DAY
EVERY = 60


def moment(n):
    return START + n * EVERY


class Line(Shop):
    """A shop whose messages leave one a minute."""

    def send(self, campaign, pattern, instance=None, log=None, first=0, prefix="M"):
        """One message for each letter: R read, D delivered, F failed, '.' only sent."""
        for n, letter in enumerate(pattern, first):
            sent = moment(n)
            at = {"R": dict(status="read", delivered_at=sent + 5, read_at=sent + 9),
                  "D": dict(status="delivered", delivered_at=sent + 5),
                  "F": dict(status="failed", failed_at=sent + 5), ".": {}}[letter]
            self.row(campaign, "%s%d" % (prefix, n), sent=sent, instance=instance,
                     log=[(log, sent)] if log else (), **at)


class Audits(Polls):
    command = "audit"


@pytest.fixture
def gaps(server, tmp_path):
    """gaps(line, arguments...): what an audit of it reports."""
    audits = Audits(tmp_path)

    def find(line, *arguments):
        done, report = audits.report(line.create(server), *arguments)
        assert done.status in (0, 1), done
        return report["gaps"]
    return find


def found(report_gaps):
    return sorted((g["instance"], g["from"], g["until"], g["messages_without_receipt"])
                  for g in report_gaps)


def between(instance, first, last):
    return instance, text(moment(first)), text(moment(last)), last - first + 1


PATTERNS = [
    ("twenty", "RDF" * 10 + "." * 20 + "D" * 25, [(30, 49)]),
    ("fifty-seven", "RDF" * 10 + "." * 57 + "D" * 25, [(30, 86)]),
    ("nineteen", "R" * 30 + "." * 19 + "R" * 30, []),
    ("a receipt in it", "R" * 30 + "." * 15 + "D" + "." * 15 + "R" * 30, []),
    ("at the start", "." * 30 + "R" * 40, []),
    ("at the end", "R" * 40 + "." * 30, []),
    ("half before", ".R" * 20 + "." * 20 + "R" * 30, []),
    ("just over half before", "R." * 9 + "RR" + "." * 20 + "R" * 30, [(20, 39)]),
    ("half after", "R" * 30 + "." * 20 + "R." * 15, []),
    ("just over half after", "R" * 30 + "." * 20 + "RR" + "R." * 9 + "...", [(30, 49)]),
    ("two of them", "R" * 20 + "." * 20 + "R" * 20 + "." * 33 + "F" * 20, [(20, 39), (60, 92)]),
    ("everything silent", "." * 100, []),
]


def test_what_is_a_gap_and_what_is_none(gaps):
    """Every pattern is that of an instance of its name."""
    line = Line()
    campaign = line.campaign()
    for name, pattern, _ in PATTERNS:
        line.send(campaign, pattern, line.instance(name), prefix=name)
    assert found(gaps(line)) == sorted(between(name, *w) for name, _, wanted in PATTERNS
                                       for w in wanted)


def test_messages_count_by_time_whatever_campaign_they_are_of(gaps):
    line = Line()
    loja = line.instance("loja")
    campaigns = [line.campaign("Natal"), line.campaign("Carnaval")]
    for n, letter in reversed(list(enumerate("R" * 25 + "." * 24 + "R" * 25))):
        line.send(campaigns[n % 2], letter, loja, first=n)
    assert found(gaps(line)) == [between("loja", 25, 48)]
    # one campaign alone has a stretch of twelve
    assert gaps(line, "--campaign", "Natal") == []


def test_another_instances_messages_do_not_break_a_gap(gaps):
    line = Line()
    loja, filial = line.instance("loja"), line.instance("filial")
    campaign = line.campaign()
    line.send(campaign, "R" * 25 + "." * 30 + "R" * 25, loja)
    line.send(campaign, "R" * 80, filial, prefix="N")
    assert found(gaps(line)) == [between("loja", 25, 54)]


def test_the_log_tells_who_sent(gaps):
    line = Line()
    loja, filial = line.instance("loja"), line.instance("filial")
    campaign = line.campaign()
    line.send(campaign, "R" * 25 + "." * 30 + "R" * 25, log=loja)
    line.send(campaign, "R" * 80, log=filial, prefix="N")
    assert found(gaps(line)) == [between("loja", 25, 54)]


def test_a_message_of_nobody_counts_for_each_that_may_speak(gaps):
    line = Line()
    other = line.new_tenant()
    line.instance("loja")
    line.instance("global", None)
    line.instance("foreign", other)
    line.send(line.campaign(), "R" * 25 + "." * 30 + "R" * 25)
    assert found(gaps(line)) == [between("global", 25, 54), between("loja", 25, 54)]


def test_messages_of_nobody_fill_the_gap_of_one(gaps):
    line = Line()
    loja = line.instance("loja")
    campaign = line.campaign()
    line.send(campaign, "R" * 25 + "." * 30 + "R" * 25, loja)
    line.send(campaign, "R", first=40, prefix="N")
    assert gaps(line) == []


def test_what_is_corrected_is_no_gap(gaps):
    """Rows that record a receipt in spite of their status have one."""
    line = Line()
    line.send(line.campaign(), "R" * 25 + "." * 20 + "R" * 25, line.instance("loja"))
    line.tables.rows[35]["read_at"] = line.tables.rows[35]["sent_at"] + SECOND
    assert gaps(line) == []


NAMES = ["loja", "Loja São João", "it's; rm -rf *", "a\"b$c`d`", "-n", "--apply"]


def test_the_command_told_fills_the_gap(server, tmp_path):
    line = Line()
    campaign = line.campaign()
    for name in NAMES:
        line.send(campaign, "R" * 25 + "." * 22 + "R" * 25, line.instance(name), prefix=name)
        for n in range(20, 60):
            line.knows(name, "%s%d" % (name, n), "DELIVERY_ACK", sent=moment(n))
    db = line.create(server)
    polls = Polls(tmp_path)
    g = polls.serve(line)
    try:
        _, report = audits_of(polls).report(db)
        assert found(report["gaps"]) == sorted(between(name, 25, 46) for name in NAMES)
        for gap in report["gaps"]:
            command = shlex.split(gap["command"])
            assert command[:4] == ["reconcile", "poll", "-d", db.conninfo()]
            assert "--apply" in command and "--evolution-url" not in command
            done, filled = polls.report(db, *command[2:])
            assert done.status == 0, done
            assert filled["messages"]["updated"] == 22
        _, report = audits_of(polls).report(db)
        assert report["gaps"] == []
    finally:
        g.stop()


def audits_of(polls):
    audits = Audits(polls.directory)
    audits.url = polls.url
    return audits


def test_a_poll_reports_what_it_could_not_fill(server, tmp_path):
    line = Line()
    loja = line.instance("loja")
    line.send(line.campaign(), "R" * 25 + "." * 50 + "R" * 25, loja)
    for n in range(25, 50):
        line.knows("loja", "M%d" % n, "READ", sent=moment(n))
    db = line.create(server)
    polls = Polls(tmp_path)
    g = polls.serve(line)
    try:
        _, dry = polls.report(db)
        _, applied = polls.report(db, "--apply")
        assert found(dry["gaps"]) == found(applied["gaps"]) == [between("loja", 50, 74)]
    finally:
        g.stop()


def test_the_text_report_names_the_command(server, tmp_path):
    line = Line()
    line.send(line.campaign(), "R" * 25 + "." * 22 + "R" * 25, line.instance("loja"))
    audits = Audits(tmp_path)
    done = audits.run(line.create(server))
    assert b" --instance loja --sent-since" in done.out and b"22" in done.out


def test_the_command_goes_where_the_run_went_and_tells_no_password(server, tmp_path):
    line = Line()
    line.send(line.campaign(), "R" * 25 + "." * 22 + "R" * 25, line.instance("loja"))
    db = line.create(server)
    polls = Polls(tmp_path)
    g = polls.serve(line)
    polls.url = None
    try:
        done, report = polls.report(
            db, "--all", "-d", "password = 'geheim' " + db.conninfo(), "--evolution-url",
            g.url.replace("//", "//me:geheim@"))
        assert done.status in (0, 1), done
    finally:
        g.stop()
    command = shlex.split(report["gaps"][0]["command"])
    assert command[:8] == ["reconcile", "poll", "-d", db.conninfo(), "--evolution-url", g.url,
                           "--instance", "loja"]
    assert "geheim" not in done.out.decode() + done.said + json.dumps(report)


# ---- rebuild -----------------------------------------------------------------------------

@pytest.fixture
def rebuilt(server, tmp_path):
    """A campaign whose rows say read, and archives that hold no receipt of 22 of them."""
    line = Line()
    line.send(line.campaign(), "D" * 72, line.instance("loja"))
    for row in line.tables.rows:
        row["status"] = "sent"  # the rows still know when they were delivered
    out = []
    for n in range(72):
        for status in ["SERVER_ACK"] + ["DELIVERY_ACK"] * (not 25 <= n < 47):
            at = times.show((moment(n) + 5 * (status != "SERVER_ACK")) * SECOND)
            out.append(worlds.line("loja", "M%d" % n, status, at))
    (tmp_path / "a").write_bytes(b"".join(out))
    return line.create(server), Runs(tmp_path)


def test_a_rebuild_over_a_gap_of_the_archives_is_refused(rebuilt):
    db, runs = rebuilt
    before = db.versions()
    done, report = runs.report(db, "--rebuild", *OPEN, "a")
    assert done.status == 1, done
    told = [w for w in report["warnings"] if "gap" in w]
    assert len(told) == 1 and "22 messages" in told[0] and "loja" in told[0]
    assert text(moment(25)) in told[0] and text(moment(46)) in told[0]
    done = runs.run(db, "--apply", "--rebuild", *OPEN, "a")
    assert done.status == 4 and "gap" in done.said, done
    assert db.versions() == before


def test_accept_partial_rebuilds_over_it(rebuilt):
    db, runs = rebuilt
    done, report = runs.report(db, "--apply", "--rebuild", "--accept-partial", *OPEN, "a")
    assert done.status == 0, done
    assert report["causes"]["unproven"] == 22
    assert sum(r["status"] == "sent" for r in tables.read(db).rows) == 22


def test_merging_over_a_gap_of_the_archives_is_no_matter(rebuilt):
    db, runs = rebuilt
    done, report = runs.report(db, "--apply", *OPEN, "a")
    assert done.status == 0 and report["gaps"] == [] and report["warnings"] == [], done
    assert {r["status"] for r in tables.read(db).rows} == {"delivered"}
