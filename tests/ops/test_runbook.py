"""The commands of the runbook and of the capture guide do what stands beside them."""

import datetime
import gzip
import json
import os
import re
import shlex
import subprocess

import pytest

import tables
import tool
import world as worlds

DOCS = tool.ROOT / "docs"
PAGES = ["operations.md", "capture.md"]
USAGE, FAILED = 2, 4
CRON_SCHEDULE = re.compile(r"^(?:[\d*]+ ){5}")
AS_A_JOB = re.compile(r"^sudo -u reconcile env ((?:[A-Z_]+=\S+\s+)+)")


def blocks(page):
    """The lines of each fenced block of a page."""
    text = (DOCS / page).read_text()
    return [re.sub(r"\s*\\\n\s*", " ", block).split("\n")[:-1]
            for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def commands():
    """(page, command line) of every line that calls a program of ours."""
    for page in PAGES:
        for line in (line for block in blocks(page) for line in block):
            line = AS_A_JOB.sub("", CRON_SCHEDULE.sub("", line)).replace(r"\%", "%")
            for part in line.split(" | "):
                if part.split(" ")[0] in ("replay", "reconcile") and ": " not in part[:20]:
                    yield page, part


COMMANDS = list(commands())


def test_the_pages_have_commands():
    assert len(COMMANDS) >= 15
    assert {part.split()[1] for _, part in COMMANDS if part.startswith("reconcile")} >= {
        "poll", "audit"}


def test_what_a_job_wrote_is_undone_with_the_settings_of_jobs():
    """Where the runs of the crontab find the database and their journals."""
    lines = [line for block in blocks("operations.md") for line in block if AS_A_JOB.match(line)]
    assert len(lines) == 1 and " reconcile revert -n " in lines[0]
    named = AS_A_JOB.match(lines[0]).group(1).split()
    crontab = (tool.ROOT / "cron/crontab").read_text().splitlines()
    wanted = [line for line in crontab if re.match("PG|STATE_DIRECTORY", line)]
    assert sorted(named) == sorted(wanted) and len(named) == 4


@pytest.fixture
def place(tmp_path):
    """Stands for the machine that the pages talk of: what is under / there is under it."""
    (tmp_path / "pg_service.conf").write_text(
        "[campaigns]\nhost=%s\ndbname=x\n" % tmp_path)
    for path in "var/log/webhooks/server-a", "var/log/webhooks/server-b", "var/lib/reconcile", \
            "etc/reconcile", "states", "archives":
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "etc/reconcile/api-key").write_text("key\n")
    line = worlds.line("loja", "TEST", "READ", "2025-10-20T11:00:00Z")
    for path in "webhooks.jsonl", "webhooks-20261121-000003.jsonl.gz", "server-a/a", "server-b/b":
        data = gzip.compress(line) if path.endswith("gz") else line
        (tmp_path / "var/log/webhooks" / path).write_bytes(data)
    return tmp_path


def here(words, place):
    return [re.sub("^/(etc|var)/", "%s/\\1/" % place, w) for w in words]


@pytest.mark.parametrize("page,command", COMMANDS, ids=[c for _, c in COMMANDS])
def test_a_command_is_understood(page, command, place):
    words = here(shlex.split(command), place)
    env = tool.environment(place, PGSERVICEFILE=str(place / "pg_service.conf"))
    assert tool.run(words[0], words[1:] + ["--no-such-option"], place, env=env).status == USAGE
    done = tool.run(words[0], words[1:], place, env=env,
                    stdin=worlds.line("loja", "TEST", "READ"))
    if "--offline" in words:
        assert done.status == 0, done
    else:
        assert done.status == FAILED and "could not connect to the database" in done.said, done


def test_the_answer_to_a_night_without_webhooks(server, capture, application, tmp_path):
    """From the outage to "look again": captured by nginx, put right by what the page says to type."""
    sent = worlds.campaign_of(["sent"], count=20)
    db = sent.create(server, "deployed")
    ids = [row["whatsapp_message_id"] for row in sent.tables.rows]

    application.stop()
    now = datetime.datetime.now(datetime.timezone.utc)
    local = now - datetime.timedelta(hours=3)  # of a gateway in São Paulo, which says Z all the same
    for n, message_id in enumerate(ids):
        word = ["DELIVERY_ACK", "READ"][n % 2]
        for _ in range(1 + n % 3):  # Evolution posts again what was not answered
            assert capture.post(worlds.line("loja", message_id, word,
                                            local.strftime("%Y-%m-%dT%H:%M:%SZ"))) == 502
    capture.settle(sum(1 + n % 3 for n in range(20)))

    answer = (DOCS / "operations.md").read_text().split("What do I type?")[1]
    typed = re.search(r"^```\n(.*?)^```", answer, re.MULTILINE | re.DOTALL).group(1).splitlines()
    assert len(typed) == 3
    (tmp_path / "service").write_text("[campaigns]\n" + db.conninfo().replace(" ", "\n") + "\n")
    env = tool.environment(
        tmp_path, PGSERVICEFILE=str(tmp_path / "service"),
        RECONCILE_NOW=(now + datetime.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    statuses = []
    for line in typed:
        words = [str(capture.logs) if w == "/var/log/webhooks" else w for w in shlex.split(line)]
        words += ["--recheck", "0"]  # which would wait for a handler that is not there
        statuses.append(tool.run(words[0], words[1:], tmp_path, env=env).status)
    assert statuses == [1, 0, 0]
    assert sorted(row["status"] for row in tables.read(db).rows) == ["delivered"] * 10 + ["read"] * 10


def test_who_holds_the_lock_is_found(server):
    """The statement of the page, while the one of the programs holds it here and elsewhere."""
    shown, = re.findall(r"^```sql\n(.*?)^```", (DOCS / "operations.md").read_text(),
                        re.MULTILINE | re.DOTALL)
    lock = (tool.ROOT / "lib/sql/lock.sql").read_text()
    for name, value in re.findall(r"\\set (\w+) (\d+)", lock):
        lock = lock.replace(":" + name, value)
    here, elsewhere = server.fresh("deployed"), server.fresh("design")
    with elsewhere.session() as other, here.session() as session:
        other.run(lock + ";")
        assert here.rows(shown.rstrip(";\n")) == []
        session.run(lock + ";")
        holder, = here.rows(shown.rstrip(";\n"))
        assert str(holder["pid"]) in session.run("SELECT pg_backend_pid();").split()


def test_what_the_guide_installs_for_nginx_is_there():
    sources = re.findall(r"^install -m 644 (\S+) ", (DOCS / "capture.md").read_text(), re.MULTILINE)
    assert len(sources) == 4
    for name in sources:
        assert (tool.ROOT / "cron" / name).is_file(), name


def test_executions_of_n8n_become_an_archive(place):
    """The loop of the guide, with a curl that answers as n8n does, in two pages."""
    def execution(number, status):
        body = json.loads(worlds.line("loja", "N8N%d" % number, status))
        item = {"json": {"headers": {}, "params": {}, "query": {}, "body": body,
                         "webhookUrl": "https://n8n.example.com/webhook/x"}}
        return {"id": str(number), "startedAt": "2026-11-20T03:0%d:00.000Z" % number,
                "data": {"resultData": {"runData": {
                    "Webhook": [{"data": {"main": [[item]]}}], "Other": [{"data": {"main": [[]]}}]}}}}

    pages = [{"data": [execution(1, "READ"), execution(2, "DELIVERY_ACK")], "nextCursor": "more"},
             {"data": [execution(3, "READ"), {"id": "4", "startedAt": "2026-11-20T03:04:00.000Z",
                                              "data": {"resultData": {"runData": {}}}}],
              "nextCursor": None}]
    for n, page in enumerate(pages):
        (place / ("answer%d" % n)).write_text(json.dumps(page))
    fake = place / "bin"
    fake.mkdir()
    (fake / "curl").write_text('#!/bin/sh\ncase "$*" in\n*cursor=more*) cat answer1 ;;\n'
                               '*) cat answer0 ;;\nesac\n')
    (fake / "curl").chmod(0o755)
    loop = next("\n".join(b) for b in blocks("capture.md") if b[0] == "cursor=")
    tool.program("jq")
    subprocess.run(["sh", "-euc", loop], cwd=str(place), check=True, timeout=60,
                   env=dict(os.environ, PATH="%s:%s" % (fake, os.environ["PATH"])))
    done = tool.run("replay", ["--offline", "--states-out", "-", "-o", "report",
                               "n8n-2026-11-20.jsonl.gz"], place)
    states = [json.loads(line) for line in done.out.splitlines()]
    assert [(s["message_id"], s["status"], s["delivered_at"] or s["read_at"], s["approximate"])
            for s in states] == [
        ("N8N1", "read", "2026-11-20T03:01:00.000000Z", []),
        ("N8N2", "delivered", "2026-11-20T03:02:00.000000Z", []),
        ("N8N3", "read", "2026-11-20T03:03:00.000000Z", [])]
