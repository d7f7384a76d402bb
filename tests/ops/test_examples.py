"""The examples of the manual pages, typed by an operator one after another, do what they say."""

import gzip
import json
import os
import re
import subprocess

import pytest

import gateway
import tables
import tool
import world as worlds

SENT = 1760954400  # of world.campaign_of
NOW = "2025-10-21T12:00:00Z"
KNOWN = "3EB0A1C4D2E5F60718A1"  # a message that the pages name


def examples(page):
    """The commands under EXAMPLES, one text for each line that begins with a prompt."""
    text = next(tool.ROOT.glob("re*/" + page)).read_text().split("\n.Sh EXAMPLES\n")[1]
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text.split("\n.Sh ")[0],
                        re.MULTILINE | re.DOTALL)
    typed = [c for block in blocks for c in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [command.replace("\\e", "\\") for command in typed]


def shop():
    """Twelve sent messages of a campaign, and one that is right but for its counters."""
    world = worlds.campaign_of(["sent"], count=12)
    for n, row in enumerate(world.tables.rows[:2]):
        row["whatsapp_message_id"] = KNOWN[:-1] + "01"[n]
    drifted = worlds.Maker("drifted", "deployed")
    campaign = dict(world.tables.campaigns[0], id=drifted.new_id(), name="Ano novo")
    world.tables.campaigns[0].update(sent=12, total=12)
    world.tables.campaigns.append(campaign)
    row = dict(world.tables.rows[0], id=drifted.new_id(), campaign_id=campaign["id"],
               whatsapp_message_id="N", status="read")
    row.update(delivered_at=row["sent_at"], read_at=row["sent_at"])
    world.tables.rows.append(row)
    return world


class Desk:
    """Where the operator sits: the paths that the pages name are below a directory of its own."""

    def __init__(self, directory, db, url):
        self.directory = directory
        self.paths = {"https://evolution.example.com": url}
        for name in "etc/reconcile", "var/log/webhooks", "state", "archives":
            (directory / name).mkdir(parents=True)
        (directory / "etc/reconcile/api-key").write_text(gateway.KEY + "\n")
        (directory / "service").write_text(
            "[campaigns]\n" + db.conninfo().replace(" ", "\n") + "\n")
        # No handler is there to wait for.
        (directory / "conf").write_text("recheck = 0\n")
        self.env = tool.environment(
            directory, PGSERVICEFILE=str(directory / "service"), RECONCILE_NOW=NOW,
            RECONCILE_CONFIG=str(directory / "conf"),
            PATH="%s:%s" % (tool.BUILD, os.environ["PATH"]))

    def type(self, command):
        command = re.sub(r"(?<= )/(?=etc/|var/)", "%s/" % self.directory, command)
        for journal in (self.directory / "state").glob("journal-*"):
            self.paths.setdefault("journal-20261122T231226216Z-207721e1.jsonl.gz", str(journal))
        for old, new in self.paths.items():
            command = command.replace(old, new)
        done = subprocess.run(["sh", "-c", command], cwd=str(self.directory), env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=tool.TIMEOUT)
        return tool.Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def sit(server, tmp_path):
    """sit(world, url): the operator of that world's database."""
    def down(world, url=""):
        db = world.create(server, "deployed")
        return Desk(tmp_path, db, url), db
    return down


def webhooks(world):
    """What Evolution posted of the campaign's messages: all were read at 11:00 UTC."""
    return b"".join(worlds.line("loja", row["whatsapp_message_id"], "READ", "2025-10-20T08:00:00Z")
                    for row in world.tables.rows[:12])


def statuses(db):
    return sorted(row["status"] for row in tables.read(db).rows)


def test_the_examples_of_replay(sit):
    world = shop()
    desk, db = sit(world)
    (desk.directory / "var/log/webhooks/a.jsonl").write_bytes(webhooks(world))
    (desk.directory / "day.log.gz").write_bytes(gzip.compress(webhooks(world)))
    look, write, fold, decide, listed, explained = examples("replay.1")

    assert desk.type(look).status == 1
    done = desk.type(write)
    assert done.status == 4 and "--max-corrections" in done.said, "all rows are more than 5 %"
    assert statuses(db) == ["read"] + ["sent"] * 12
    for command, status in ((fold, 0), (decide, 1), (listed, 1)):
        assert desk.type(command).status == status, command
    report = json.loads((desk.directory / "report.json").read_text())
    assert len(report["corrections"]) == 12
    done = desk.type(explained)
    assert done.status == 1 and KNOWN in done.out.decode()
    assert desk.type(write.replace("5%", "100%")).status == 0
    assert statuses(db) == ["read"] * 13
    assert desk.type(look).status == 0


def test_the_examples_of_reconcile(sit, tmp_path):
    world = shop()
    stored = [gateway.Message("loja", row["whatsapp_message_id"], SENT,
                              [("DELIVERY_ACK", (SENT + 60) * 1000)])
              for row in world.tables.rows[:12]]
    with gateway.Gateway(tmp_path / "gateway", stored) as running:
        desk, db = sit(world, running.url)
        before = statuses(db)
        ask, write, audit, plan, apply, rehearse, revert = examples("reconcile.1")
        assert desk.type(ask).status == 1 and statuses(db) == before
        assert desk.type(write).status == 0
        assert statuses(db) == ["delivered"] * 12 + ["read"]
    assert desk.type(audit).status == desk.type(plan).status == 1, "of the other campaign"
    assert desk.type(apply).status == 0
    assert desk.type(audit).status == 0
    assert desk.type(rehearse).status == 1 and statuses(db) != before
    assert desk.type(revert).status == 0
    assert statuses(db) == before


def test_the_examples_of_the_formats(sit):
    world = shop()
    desk, _ = sit(world)
    desk.env["PGSERVICE"] = "campaigns"
    (desk.directory / "archives/a").write_bytes(webhooks(world))
    (desk.directory / "b").write_bytes(webhooks(world)[:-1].replace(b"}\n", b"\n"))
    tool.program("jq")
    listed, found, shown = examples("reconcile-formats.5")
    corrected, known = desk.type(listed), desk.type(found)
    assert desk.type("replay --offline -o report --rejects rejects.jsonl b").status == 0
    seventh = desk.type(shown)
    lines = [line.split("\t") for line in corrected.out.decode().splitlines()]
    assert len(lines) == 12 and {line[1] for line in lines} == {"missed_webhook"}
    assert all("archives/a" in line[2] for line in lines)
    assert json.loads(known.out)["message_id"] == KNOWN
    assert seventh.status == 0 and b"M6" in seventh.out, seventh
