"""--log-format json: all that is said on stderr is an object a line, also what went wrong first."""

import datetime
import json
import re

import pytest

import archives
import tool

MEMBERS = ["time", "level", "run", "program", "message"]


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", b'{"broken\n{}\n{"data":{"id":"x"},"event":"messages.update"}\n',
                  1760900000)
    return "a"


def objects(done):
    said = [json.loads(line) for line in done.lines]
    for one in said:
        assert list(one) == MEMBERS, one
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", one["time"])
    return said


def test_every_line_is_an_object_of_the_run(replay, archive, tmp_path):
    before = datetime.datetime.now(datetime.timezone.utc)
    done = replay("--offline", "--log-format", "json", "--format", "json", archive)
    assert done.status == 0, done
    said = objects(done)
    assert [s["level"] for s in said] and {s["level"] for s in said} <= {"warning", "note"}
    assert {s["program"] for s in said} == {"replay"}
    assert {s["run"] for s in said} == {json.loads(done.out)["run"]["id"]}
    for s in said:
        when = datetime.datetime.strptime(s["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs(when - before) < datetime.timedelta(minutes=5)


def test_text_and_json_say_the_same(replay, archive):
    text = replay("--offline", "-j1", archive)
    said = objects(replay("--offline", "-j1", "--log-format=json", archive))
    assert text.lines == ["%s: %s: %s" % (s["program"], s["level"], s["message"]) for s in said]


WRONG = [["--log-format", "json", "--no-such-option"], ["--no-such-option", "--log-format=json"],
         ["--settle", "x", "--log-format", "json"], ["--log-format", "json"],
         ["--config", "nowhere", "--log-format", "json"]]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_told_in_that_form_too(replay, arguments):
    done = replay(*arguments)
    said = objects(done)
    assert done.status == 2 and len(said) == 1
    assert (said[0]["level"], said[0]["run"], said[0]["program"]) == ("error", None, "replay")


def test_an_unknown_command_is_told_in_that_form(tmp_path):
    done = tool.run("reconcile", ["pol", "--log-format", "json"], tmp_path)
    assert done.status == 2 and objects(done)[0]["program"] == "reconcile"
    done = tool.run("reconcile", ["poll", "--log-format", "json", "x"], tmp_path)
    assert done.status == 2 and objects(done)[0]["program"] == "reconcile poll"


def test_the_form_may_come_from_the_file(replay, tmp_path):
    (tmp_path / "conf").write_text("log-format = json\n")
    assert objects(replay("--config", "conf", "--no-such-option"))
    done = replay("--config", "conf", "--log-format", "text", "--no-such-option")
    assert done.lines == ['replay: error: unknown option "--no-such-option"']


def test_a_form_that_there_is_not_is_an_error_in_text(replay):
    done = replay("--log-format", "xml", "a")
    assert done.status == 2
    assert done.lines == ['replay: error: invalid value "xml" for --log-format: text or json is needed']
