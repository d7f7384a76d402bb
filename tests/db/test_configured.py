"""A configuration file that says where the database is, and the commands that go on from it."""

import json
import shlex
import subprocess

import pytest

import tables
import tool
import world as worlds
from runs import OPEN


@pytest.fixture
def configured(server, tmp_path):
    """A database with something to correct, the archive that tells of it, the file that names it."""
    world = worlds.campaign_of(["sent"], count=20)
    db = world.create(server, "deployed")
    (tmp_path / "a").write_bytes(b"".join(
        worlds.line("loja", row["whatsapp_message_id"], "READ") for row in world.tables.rows))
    conf = tmp_path / "conf"
    conf.write_text('dbname = "%s password=geheim"\nrecheck = 0\nformat = json\n' % db.conninfo())
    conf.chmod(0o600)
    return db


def run(tmp_path, *words):
    return tool.run("replay", ["--config", "conf", *OPEN, *words], tmp_path)


def add(tmp_path, text):
    with open(str(tmp_path / "conf"), "a") as conf:
        conf.write(text)


def test_the_file_says_where_to_go_and_how(configured, tmp_path):
    add(tmp_path, "max-corrections = 50%\n")
    done = run(tmp_path, "a")
    assert done.status == 1, done
    assert json.loads(done.out)["messages"]["updated"] == 20
    refused = run(tmp_path, "--apply", "a")
    assert refused.status == 4 and "--max-corrections" in refused.said, refused
    assert run(tmp_path, "--apply", "--max-corrections", "100%", "a").status == 0
    assert {row["status"] for row in tables.read(configured).rows} == {"read"}


def test_the_command_that_undoes_a_run_names_the_file_and_no_password(configured, tmp_path):
    done = run(tmp_path, "--apply", "--format", "text", "a")
    assert done.status == 0, done
    command = done.out.decode().rstrip("\n").split("To undo them:\n  ")[1]
    words = shlex.split(command)
    assert words[1:4] == ["revert", "--config", "conf"] and "-d" not in words
    assert "geheim" not in done.out.decode() + done.said
    ended = subprocess.run(command, shell=True, cwd=str(tmp_path), check=False,
                           env=tool.environment(tmp_path), stdout=subprocess.PIPE)
    assert ended.returncode == 0, ended
    assert {row["status"] for row in tables.read(configured).rows} == {"sent"}


def test_offline_and_dry_runs_are_not_in_the_way_of_a_file_for_all(configured, tmp_path):
    add(tmp_path, "apply\n")
    assert run(tmp_path, "-n", "a").status == 1
    assert run(tmp_path, "--offline", "a").status == 0
    assert run(tmp_path, "--plan-out", "plan", "a").status == 1
    assert {row["status"] for row in tables.read(configured).rows} == {"sent"}
    assert run(tmp_path, "a").status == 0
    assert {row["status"] for row in tables.read(configured).rows} == {"read"}


def test_a_dry_run_that_the_file_asks_for_suggests_no_command_that_writes_nothing(configured,
                                                                                  tmp_path):
    assert b"\nTo write them:\n" in run(tmp_path, "--format", "text", "a").out
    add(tmp_path, "dry-run\n")
    for words in ["a"], ["-n", "a"], ["--apply", "a"], ["--plan-out", "plan", "a"]:
        done = run(tmp_path, "--format", "text", *words)
        assert done.status == 1 and b"To write them:" not in done.out, done
        assert 'warning: dry-run is in configuration file "conf"' in done.said
    plan = ["apply", "--config", "conf", "--format", "text", "plan"]
    done = tool.run("reconcile", plan, tmp_path)
    assert done.status == 1 and b"To write them:" not in done.out, done
    assert {row["status"] for row in tables.read(configured).rows} == {"sent"}
