"""Hostile texts in rows and archives, and message ids that others have too."""

import csv
import gzip
import io
import json
import re
import subprocess
import unicodedata

import pytest

import promtext
import tables
import tool
import world as worlds
from runs import OPEN
from test_actions import Acts, lines_of, save
from test_gaps import Audits, Line
from test_poll import HOUR, NOW, Shop, polls  # noqa: F401

READ_LATER = "2025-10-20T11:00:00Z"

HOSTILE = [
    "x'); DROP TABLE campaigns_contact; --", "$$; DELETE FROM campaigns_log; $$", "'\\''\\", "{,}",
    "\\N", "\\.", "a\tb\nc\\d\r\n\\t", ":campaigns ${x} %s%n%1$s", "$(touch pwned)`touch pwned`;#",
    "\x1b[2J\x1b]0;owned\x07", "\u009b31m\x7f", "\u202egnp.exe\u202c \u2066x\u2069",
    "a\u200bb\ufeff", "l\u2028p\u2029\u0085", "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>", "&lt;b&gt; ]]> <!--", "=cmd|' /C calc'!A0", "+1+1",
    "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "a\"b\\c{x=\"y\"}\n# HELP",
    "\U0001f600 \u00e9 e\u0301 \ufffd", "null", "../../etc/passwd", "--apply",
    "%2e%2e%2f", "\\u0000", "0" * 250]


def control(text, allowed=""):
    """The characters of a text that a terminal would act on or could not show."""
    found = re.findall("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]", text)
    return found + [c for c in text
                    if c not in allowed and unicodedata.category(c) in ("Cc", "Zl", "Zp")]


class Bazaar:
    """Each hostile text is the name of a campaign, an instance, a contact, an id and an error."""

    def __init__(self, server, directory):
        self.world = worlds.campaign_of(["sent", "sent"], count=2 * len(HOSTILE),
                                        campaigns=len(HOSTILE))
        maker = worlds.Maker("bazaar", "deployed")
        base = self.world.tables.instances[0]
        self.world.tables.instances = [
            dict(base, id=maker.new_id(), instance_name=text[:100]) for text in HOSTILE]
        lines = []
        for n, text in enumerate(HOSTILE):
            read, failed = self.world.tables.rows[n], self.world.tables.rows[n + len(HOSTILE)]
            self.world.tables.campaigns[n]["name"] = text
            for row, suffix in ((read, "r"), (failed, "f")):
                row["whatsapp_message_id"] = text + suffix
                row["instance_used_id"] = self.world.tables.instances[n]["id"]
            instance = text[:100]
            lines += [worlds.line(instance, text + "r", "READ", READ_LATER),
                      worlds.line(instance, text + "f", "FAILED", READ_LATER, error=text + "\0!"),
                      worlds.line(instance, text + "r", "?" + text, READ_LATER),
                      text.encode() + b'{"event":"' + text.encode() + b"\n",
                      worlds.line("nobody's " + instance, text + "r", "READ", READ_LATER)]
        self.world.archives = {"a \u202e\x1b'.jsonl": b"".join(lines)}
        self.archive = self.world.save(directory)[0]
        self.db = self.world.create(server, "deployed")
        self.db.sql("".join("UPDATE contacts_contact SET name = %s WHERE id = '%s';\n" % (
            quoted(text[:200]), self.world.tables.rows[n]["id"]) for n, text in enumerate(HOSTILE)))
        self.runs = Acts(directory)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
def bazaar(server, tmp_path):
    return Bazaar(server, tmp_path)


def told_by_shell(command):
    """The words that bash makes of a command."""
    done = subprocess.run(["bash", "-c", "printf '%s\\0' " + command], check=True,
                          stdout=subprocess.PIPE, timeout=60)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def test_hostile_texts_are_text_in_every_report(bazaar, tmp_path):
    run = [*OPEN, "--details", "-v", "--all", bazaar.archive]
    done, report = bazaar.runs.report(bazaar.db, "--metrics", "m", "--rejects", "rejects", *run)
    assert done.status == 3 and not control(done.said, "\n"), done
    assert {c["name"] for c in report["campaigns"]} == set(HOSTILE)
    ids = {c["message_id"] for c in report["corrections"]}
    assert ids == {text + suffix for text in HOSTILE for suffix in "rf"}
    assert {m["instance"] for m in report["instance_mismatches"]} == {
        "nobody's " + text[:100] for text in HOSTILE}
    promtext.parse((tmp_path / "m").read_text())
    for line in (tmp_path / "rejects").read_bytes().splitlines():
        assert json.loads(line)["archive"] == bazaar.archive
    text = bazaar.runs.run(bazaar.db, *run).out.decode()
    assert not control(text, "\n")
    cells = bazaar.runs.run(bazaar.db, "--format", "csv", *run).out.decode()
    assert not control(cells, "\r\n")
    for row in csv.reader(io.StringIO(cells, newline=""), strict=True):
        assert not [c for c in row if c.lstrip()[:1] in tuple("=+@") or c[:1] in tuple("\t\r")]
        assert not [c for c in row if c.startswith("-") and not re.fullmatch(r"-\d+(\.\d+)?", c)]
    assert {"?" + t for t in HOSTILE if len(t) < 100} <= set(report["input"]["raw_statuses"])
    page = bazaar.runs.run(bazaar.db, "--format", "html", *run).out.decode()
    assert not control(page, "\n") and not re.search("<(script|img|!--)", page)
    for n in (6, 9, 11, 14):
        told = bazaar.runs.run(bazaar.db, "--explain", HOSTILE[n] + "r", *run).out.decode()
        assert not control(told, "\n") and "2025-10-20" in told
    logged = bazaar.runs.run(bazaar.db, "--log-format", "json", *run)
    for line in logged.lines:
        assert not control(line) and json.loads(line)["program"] == "replay"


def test_hostile_texts_are_written_and_undone_as_they_are(bazaar, tmp_path):
    before = tables.read(bazaar.db).rows
    report, journal = bazaar.runs.write(bazaar.db, *OPEN, bazaar.archive)
    assert report["messages"]["updated"] == 2 * len(HOSTILE)
    after = {r["whatsapp_message_id"]: r for r in tables.read(bazaar.db).rows}
    logs = bazaar.db.rows("SELECT l.message, l.details, c.whatsapp_message_id AS id,"
                          " l.log_type AS t FROM campaigns_log l JOIN campaigns_contact c"
                          " ON c.id = l.campaign_contact_id")
    logged = {(entry["id"], entry["t"]): entry for entry in logs}
    for text in HOSTILE:
        assert after[text + "r"]["status"] == "read"
        assert after[text + "f"]["error_message"] == text + "!"
        entry = logged[text + "r", "message_read"]
        assert entry["message"] == "Mensagem lida por " + text[:200]
        assert entry["details"]["whatsapp_message_id"] == text + "r"
        assert entry["details"]["evidence"]["read"][0] == bazaar.archive
        assert logged[text + "f", "message_failed"]["details"]["error"] == text + "!"
    done, _ = bazaar.runs.revert(bazaar.db, journal)
    assert done.status == 0 and tables.read(bazaar.db).rows == before, done
    assert not (tmp_path / "pwned").exists()


def test_hostile_texts_pass_through_states_and_plans(bazaar, tmp_path):
    """Folded to states and carried out by way of a plan they end as they do directly."""
    folded = tool.run("replay", ["--offline", "--states-out", "s.gz", *OPEN, bazaar.archive],
                      tmp_path)
    assert folded.status == 0, folded
    with gzip.open(tmp_path / "s.gz", "rt", encoding="utf-8", newline="\n") as f:
        assert {json.loads(line)["message_id"] for line in f} == {
            text + suffix for text in HOSTILE for suffix in "rf"}
    done, _ = bazaar.runs.report(bazaar.db, "--states-in", "s.gz", "--plan-out", "p.gz", *OPEN)
    assert done.status == 3, done
    done, report = bazaar.runs.apply(bazaar.db, "p.gz")
    assert done.status == 0 and report["messages"]["updated"] == 2 * len(HOSTILE), done
    assert {r["status"] for r in tables.read(bazaar.db).rows} == {"read", "failed"}


def test_a_command_that_a_report_tells_is_read_back_as_it_was_meant(bazaar, tmp_path):
    done = bazaar.runs.run(bazaar.db, "--campaign", HOSTILE[11], "--campaign", HOSTILE[9], *OPEN,
                           bazaar.archive)
    command = done.out.decode().splitlines()[-1].strip()
    words = told_by_shell(command)
    assert words[-1] == bazaar.archive and "--apply" in words, command
    assert [w for n, w in enumerate(words) if words[n - 1] == "--campaign"] == [
        HOSTILE[11], HOSTILE[9]]


@pytest.mark.parametrize("name", ["\u202egnp.exe", "a\x1b[2J'\\", "\u0085\u2028", "$(touch pwned)"])
def test_the_command_that_fills_a_gap_names_any_instance(server, tmp_path, name):
    line = Line()
    line.send(line.campaign(), "R" * 25 + "." * 22 + "R" * 25, line.instance(name))
    db = line.create(server)
    done, report = Audits(tmp_path).report(db)
    text = Audits(tmp_path).run(db).out.decode()
    shown = next(l.strip() for l in text.splitlines() if l.strip().startswith("reconcile poll"))
    for command in (shown, report["gaps"][0]["command"]):
        words = told_by_shell(command)
        assert words[words.index("--instance") + 1] == name, command
    assert not (tmp_path / "pwned").exists()


def test_names_of_a_megabyte_are_names(server, tmp_path):
    long = {"campaigns_campaign": "name", "notifications_whatsapp_instance": "instance_name",
            "contacts_contact": "name", "tenancy_tenant": "name"}
    world = worlds.campaign_of(["sent"], count=3)
    names = {table: chr(ord("a") + n) + "\u202e'<" * 200000 for n, table in enumerate(long)}
    instance = names["notifications_whatsapp_instance"]
    world.archives = {"a": b"".join(worlds.line(instance, "M%d" % n, "ERROR", READ_LATER,
                                                error="e" * (1 << 20)) for n in range(2)) +
                      worlds.line(instance, "M" * (1 << 20), "READ", READ_LATER)}
    world.save(tmp_path)
    db = world.create(server, "deployed")
    for table, column in long.items():
        db.sql("ALTER TABLE %s ALTER %s TYPE text; UPDATE %s SET %s = %s"
               % (table, column, table, column, quoted(names[table])))
    runs = Acts(tmp_path)
    done, report = runs.report(db, "--details", *OPEN, "a")
    assert done.status == 1 and report["input"]["missing_field"] == 1, done
    assert report["campaigns"][0]["name"] == names["campaigns_campaign"]
    for form in ("text", "csv", "html"):
        out = runs.run(db, "--format", form, "--details", *OPEN, "a").out.decode()
        assert not control(out, "\r\n")
    report, journal = runs.write(db, *OPEN, "a")
    assert report["messages"]["updated"] == 2
    assert db.rows("SELECT DISTINCT message AS m FROM campaigns_log")[0]["m"].startswith(
        "Falha ao enviar para " + names["contacts_contact"])
    done, _ = runs.revert(db, journal)
    assert done.status == 0 and {r["status"] for r in tables.read(db).rows} == {"sent"}, done


# ---- message ids that others have too --------------------------------------------------------

class Two:
    """Two tenants, A and B, each with an instance and a campaign, and rows of the same id M."""

    def __init__(self, a="loja-a", b="loja-b", used=True):
        self.world = worlds.campaign_of(["sent", "sent"], campaigns=2)
        t, maker = self.world.tables, worlds.Maker("two", "deployed")
        self.world.tenants.append(maker.new_id())
        t.instances.append(dict(t.instances[0], id=maker.new_id(), instance_name=b,
                                tenant_id=self.world.tenants[1]))
        t.instances[0]["instance_name"] = a
        t.campaigns[1]["tenant_id"] = self.world.tenants[1]
        for row, instance, letter in zip(t.rows, t.instances, "AB"):
            row["whatsapp_message_id"] = "M"
            row["instance_used_id"] = instance["id"] if used else None
        self.a, self.b = t.rows

    def says(self, instance, message_id="M", **more):
        self.world.archives["a"] += worlds.line(instance, message_id, "READ", READ_LATER, **more)
        return self


def equal():
    return Two("loja", "loja").says("loja")


def only_theirs():
    two = Two().says("loja-a")
    two.a["whatsapp_message_id"] = "N"
    return two


def renamed():
    two = Two("loja-new").says("loja-old")
    return two


# what the archives hold, what the run is told, and who is moved
COLLISIONS = {
    "each by its own instance": (lambda: Two().says("loja-a"), [], "A"),
    "each by its tenant's, where the row names none":
        (lambda: Two(used=False).says("loja-b"), [], "B"),
    "equal names": (equal, [], ""),
    "equal names, rows that name none": (lambda: Two("loja", "loja", False).says("loja"), [], ""),
    "names that differ in case": (lambda: Two("loja", " LOJA").says("Loja "), [], ""),
    "equal names, the scope of one tenant": (equal, ["--tenant", 0], ""),
    "equal names, the scope of the other": (equal, ["--tenant", 1], ""),
    "equal names, one campaign": (equal, ["--campaign", 0], ""),
    "equal names, all campaigns": (equal, ["--all"], ""),
    "any instance": (lambda: Two().says("loja-a"), ["--any-instance"], ""),
    "an instance that is nobody's": (lambda: Two().says("evil"), [], ""),
    "an instance under its old name": (renamed, [], ""),
    "a row of the other alone": (only_theirs, [], ""),
    "a row of the other alone, in scope": (only_theirs, ["--tenant", 1], ""),
    "both, one tenant in scope":
        (lambda: Two().says("loja-a").says("loja-b"), ["--tenant", 1], "B"),
    "both, one campaign in scope":
        (lambda: Two().says("loja-a").says("loja-b"), ["--campaign", 0], "A"),
    "both, one instance": (lambda: Two().says("loja-a").says("loja-b"),
                           ["--instance", "loja-a"], "A"),
    "another contact's telephone, from its side": (
        lambda: Two().says("loja-a", remoteJid="1@s.whatsapp.net", fromMe=False), [], "A"),
}


@pytest.mark.parametrize("name", COLLISIONS)
def test_nobody_moves_a_row_by_an_id_that_it_shares(server, tmp_path, name):
    """Neither from an archive, nor by way of states or a plan."""
    make, told, moved = COLLISIONS[name]
    two = make()
    two.world.save(tmp_path)
    db, acts = two.world.create(server, "deployed"), Acts(tmp_path)
    ids = {"--tenant": two.world.tenants,
           "--campaign": [c["id"] for c in two.world.tables.campaigns]}
    told = [ids[told[n - 1]][t] if isinstance(t, int) else t for n, t in enumerate(told)]
    rows = {"A": two.a["id"], "B": two.b["id"]}
    folded = tool.run("replay", ["--offline", "--states-out", "s", *OPEN, "a"], tmp_path)
    assert folded.status == 0, folded
    acts.run(db, "--states-in", "s", "--plan-out", "p", *told, *OPEN)
    assert {action["campaign_contact"] for action in lines_of(tmp_path / "p")[1:]} == {
        rows[letter] for letter in moved}
    done = acts.run(db, "--apply", *told, *OPEN, "a")
    assert done.status in (0, 3), done
    assert {r["id"]: r["status"] for r in tables.read(db).rows} == {
        rows[letter]: "read" if letter in moved else "sent" for letter in "AB"}


@pytest.mark.parametrize("lie", ["campaign_contact", "campaign", "message_id"])
def test_a_plan_that_names_another_tenants_row_by_halves_moves_nothing(server, tmp_path, lie):
    two = Two().says("loja-a")
    two.b["whatsapp_message_id"] = "N"
    two.world.save(tmp_path)
    db = two.world.create(server, "deployed")
    acts = Acts(tmp_path)
    assert acts.run(db, "--plan-out", "p", *OPEN, "a").status == 1
    header, action = lines_of(tmp_path / "p")
    action[lie] = {"campaign_contact": two.b["id"], "campaign": two.b["campaign_id"],
                   "message_id": "N"}[lie]
    save(tmp_path / "q", [header, action])
    before = tables.read(db).rows
    done, report = acts.apply(db, "q")
    assert done.status == 3 and report["messages"]["conflicts"] == 1, done
    assert tables.read(db).rows == before


# the stub lets every filter go by
IGNORING = [{"fault": "ignore_filters", "times": 1000}]


@pytest.mark.parametrize("strategy", ["window", "message"])
def test_answers_about_others_messages_move_no_row(server, polls, strategy):  # noqa: F811
    """The gateway tells at one instance of messages that another tenant's rows hold."""
    shop = Shop()
    other = shop.new_tenant()
    mine, theirs = shop.instance("loja"), shop.instance("LOJA 2", other, url="loja/2")
    rows = [shop.row(shop.campaign("Natal"), "A", instance=mine, sent=NOW - HOUR),
            shop.row(shop.campaign("Natal", other), "B", instance=theirs, sent=NOW - HOUR),
            shop.row(shop.campaign("Ano Novo", other), "A", instance=theirs, sent=NOW - HOUR)]
    shop.knows("loja", "A", "READ", sent=NOW - HOUR)
    shop.knows("loja", "B", "READ", sent=NOW - HOUR)
    shop.knows("loja/2", "C", "READ", sent=NOW - HOUR)
    db = shop.create(server)
    polls.serve(shop, faults=IGNORING)
    done = polls.run(db, "--apply", "--strategy", strategy)
    assert done.status in (0, 3), done
    after = {r["id"]: r["status"] for r in tables.read(db).rows}
    assert [after[r] for r in rows] == ["read", "sent", "sent"]
