"""The statements of the audit guide run as they stand, and find what the programs report."""

import json
import re
import subprocess

import pytest

import tables
import tool
import world as worlds
from runs import at_once

GUIDE = (tool.ROOT / "docs" / "audit.md").read_text()
NAMINGS = {"deployed": "notifications_whatsapp_instance",
           "design": "notifications_whatsappinstance"}


def sections():
    """number of a section -> its fenced blocks, (language, text) in order; 0 is what precedes."""
    parts = re.split(r"^## (\d+)\. .*$", GUIDE, flags=re.MULTILINE)
    texts = {0: parts[0], **{int(n): text for n, text in zip(parts[1::2], parts[2::2])}}
    return {n: re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
            for n, text in texts.items()}


SECTIONS = sections()


def sql_of(*numbers):
    return [text for n in numbers for language, text in SECTIONS[n] if language == "sql"]


def shell_of(number):
    return [text for language, text in SECTIONS[number] if language == "text"]


class Auditor:
    """Who has psql, jq and the archives, and no program of ours."""

    def __init__(self, db, variant, directory):
        self.db = db
        self.directory = directory
        self.begin = "".join(text for _, text in SECTIONS[0]
                             if NAMINGS[variant] + "\n" in text or text.startswith("SET "))
        tool.program("jq")

    def psql(self, *numbers, change=lambda sql: sql):
        """What each statement block of these sections prints: lists of rows, in one session."""
        blocks = [change(sql) for sql in sql_of(*numbers)]
        script = self.begin + "".join("\\echo ====\n" + sql for sql in blocks)
        done = subprocess.run(self.db.psql() + ["-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"],
                              input=script.encode(), cwd=str(self.directory), timeout=tool.TIMEOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr.decode()
        printed = done.stdout.decode().split("====\n")[1:]
        assert len(printed) == len(blocks)
        return [[line.split("|") for line in text.splitlines()] for text in printed]

    def shell(self, text):
        done = subprocess.run(["sh", "-euc", text], cwd=str(self.directory), check=True,
                              stdout=subprocess.PIPE, timeout=tool.TIMEOUT)
        return done.stdout.decode()

    def fold(self, *arguments):
        """What the archives know, in states.jsonl."""
        done = tool.run("replay", ["--offline", "--states-out", "states.jsonl", "-o", "offline"]
                        + list(arguments), self.directory)
        assert done.status == 0, done

    def run(self, name, *arguments):
        """A run of a program of ours, to be audited; its JSON report."""
        words = list(arguments) + ["-d", self.db.conninfo(), "--format", "json", "--details",
                                   "-o", "report.json"]
        done = tool.run(name, at_once(words), self.directory)
        assert done.status in (0, 1, 3), done
        return json.loads((self.directory / "report.json").read_text())


def ids(rows):
    return [row[0] for row in rows]


@pytest.fixture(params=sorted(NAMINGS))
def audited(request, server, tmp_path):
    """An auditor of a database that lost webhooks, and the archives that have them, in logs."""
    done = tool.run("generate", ["--seed", "5", "--messages", "600", "--hostile", "--schema",
                                 request.param, "--start", "2025-03-03T12:00:00Z", "."], tmp_path)
    assert done.status == 0, done
    (tmp_path / "archives").rename(tmp_path / "logs")
    db = server.fresh(request.param)
    db.sql((tmp_path / "database.sql").read_text())
    auditor = Auditor(db, request.param, tmp_path)
    auditor.fold("logs")
    return auditor


WHOLE = ["--all", "--settle", "0", "--accept-clock"]


def drifted(db):
    """Ids of campaigns whose counters are not what their rows say, counted here once more."""
    read = tables.read(db)
    wrong = []
    for campaign in read.campaigns:
        rows = [r for r in read.rows if r["campaign_id"] == campaign["id"]]
        counts = {"failed": sum(r["status"] == "failed" for r in rows)}
        for name, rank in ("sent", 0), ("delivered", 1), ("read", 2):
            counts[name] = sum(r[name + "_at"] is not None or
                               r["status"] in ("sent", "delivered", "read")[rank:] for r in rows)
        if any(campaign[name] != n for name, n in counts.items()):
            wrong.append(campaign["id"])
    return sorted(wrong)


def test_what_it_finds_before_and_after_a_run(audited):
    before = audited.run("replay", *WHOLE, "logs")
    assert before["messages"]["ambiguous"] and before["messages"]["instance_mismatch"]
    first, = audited.psql(1)
    assert sorted(ids(first)) == drifted(audited.db) != []
    _, classes, statuses, times = audited.psql(5)
    messages = before["messages"]
    assert {name: int(n) for name, n in classes} == {
        name: messages[name]
        for name in ("used", "not_campaign_message", "ambiguous", "instance_mismatch")}
    moved = {c["campaign_contact"] for c in before["corrections"]
             if c["before"]["status"] != c["after"]["status"]}
    assert set(ids(statuses)) == moved != set()
    filled = {row[0] for row in times if not row[2] and row[3] or not row[4] and row[5]}
    assert filled and filled <= {c["campaign_contact"] for c in before["corrections"]}
    assert audited.psql(5, 6)[-1] == [[str(messages["requeued"])]], "and no status is unknown"

    after = audited.run("replay", *WHOLE, "--apply", "logs")
    assert after["run"]["applied"]
    assert audited.psql(1) == [[]] and drifted(audited.db) == []
    assert audited.psql(5)[-2] == []


def test_rows_that_contradict_themselves(audited):
    found = set(ids(audited.psql(3)[0]))
    corrected = {c["campaign_contact"]
                 for c in audited.run("reconcile", "audit", *WHOLE[:3])["corrections"]}
    assert corrected and corrected <= found


def test_one_message(audited):
    report = audited.run("replay", *WHOLE, "logs")
    corrected = report["corrections"][0]

    def ours(text):
        return text.replace("3EB0A1C4D2E5F60718A1", corrected["message_id"])

    row, speakers = audited.psql(4, change=ours)
    assert corrected["campaign_contact"] in ids(row)
    assert {line[0] for line in speakers} == set(ids(row))
    known = [text for text in shell_of(4) if text.startswith("replay")][0].splitlines()[1]
    line = json.loads(audited.shell(ours(known)).splitlines()[0])
    assert line["message_id"] == corrected["message_id"]


def test_clocks(audited):
    """None is wrong, until the archives are read in the zone of another continent."""
    clocks = audited.psql(5, 7)[-1]
    assert sum(int(row[1]) for row in clocks) > 100
    assert all(5 * int(row[2]) <= int(row[1]) for row in clocks)
    tokyo = ["--date-time-zone", "Asia/Tokyo", "logs"]
    audited.fold(*tokyo)
    warned = {re.match('instance "(.*)": its date_time seems off', text).group(1).strip().lower()
              for text in audited.run("replay", *WHOLE, *tokyo)["warnings"]
              if "date_time seems off" in text}
    wrong = {row[0] for row in audited.psql(5, 7)[-1]
             if int(row[1]) >= 5 and 5 * int(row[2]) > int(row[1])}
    assert wrong and wrong <= warned, "of some, received times alone tell"


@pytest.mark.parametrize("variant", sorted(NAMINGS))
def test_gaps(server, tmp_path, variant):
    statuses = ["delivered"] * 40 + ["sent"] * 30 + ["read"] * 40
    world = worlds.campaign_of(statuses, variant=variant)
    for n, row in enumerate(world.tables.rows):
        row["instance_used_id"] = world.tables.instances[0]["id"]
        row["sent_at"] += n * 60 * 1000000
        for name in {"delivered": ["delivered_at"], "read": ["delivered_at", "read_at"]}.get(
                row["status"], []):
            row[name] = row["sent_at"]
    auditor = Auditor(world.create(server, variant), variant, tmp_path)
    gap, = auditor.run("reconcile", "audit")["gaps"]
    (name, count, first, last), = auditor.psql(8)[0]
    assert (name, int(count)) == (gap["instance"], gap["messages_without_receipt"])
    assert [gap["from"][:19], gap["until"][:19]] == [t[:19].replace(" ", "T") for t in (first, last)]


def test_what_was_written_and_undone(audited):
    whole = sql_of(9)[-1]

    def sums():
        return audited.psql(9, change=lambda sql: sql if sql == whole else "")[-1]

    before = sums()
    audited.run("replay", *WHOLE, "logs")
    assert sums() == before != []
    report = audited.run("replay", *WHOLE, "--apply", "logs")
    assert sums() != before
    for text in shell_of(9):
        audited.shell(text)
    assert audited.psql(9)[0] == []
    journal = "state/journal-%s.jsonl.gz" % report["run"]["id"]
    for text in shell_of(10):
        audited.shell(re.sub(r"journal-\S+\.gz", journal, text))
    batches, counts = (rows for rows in split_journal(audited.psql(10)))
    assert batches and all(row[2:] == ["t", "committed"] for row in batches)
    assert counts == [[str(report["messages"]["updated"]), "0", "0"]]
    assert tool.run("reconcile", at_once(["revert", "--recheck", "0", "-o", "reverted", "-d",
                                          audited.db.conninfo(), journal]),
                    audited.directory).status == 0
    assert split_journal(audited.psql(10))[1] == [["0", str(report["messages"]["updated"]), "0"]]
    assert len(audited.psql(9)[0]) == report["messages"]["updated"]


def split_journal(printed):
    """The block of section 10 prints batches, of four columns, and then the three counts."""
    rows = [row for block in printed for row in block]
    return [row for row in rows if len(row) == 4], [row for row in rows if len(row) == 3]


def test_sums_and_rates(audited):
    report = audited.run("replay", *WHOLE, "logs")
    for text in shell_of(11):
        assert set(audited.shell(text).split()) == {"true"}, text
    rates = [line.split("\t") for line in audited.shell(shell_of(2)[0]).splitlines()]
    assert len(rates) == len(report["campaigns"]) > 0
    for _, delivery, read, delivery_again, read_again in rates:
        assert abs(float(delivery) - float(delivery_again)) <= 0.005 + 1e-9
        assert abs(float(read) - float(read_again)) <= 0.005 + 1e-9
