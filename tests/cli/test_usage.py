"""Wrong options, missing databases, closed outputs: one clear message and the right status."""

import json
import os
import pathlib
import stat

import pytest

import archives
import tool

LINE = (b'{"event":"messages.update","instance":"i","data":{"keyId":"K","status":"READ"},'
        b'"date_time":"2025-10-20T10:00:00Z"}\n')


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", LINE, 1760900000)
    return "a"


WRONG = [
    (["--no-such-option", "a"], "no-such-option"),
    (["-Z", "a"], "Z"),
    (["--offline"], "ARCHIVE"),
    (["--offline", "--status-codes", "meta", "a"], "meta"),
    (["--offline", "--date-time-zone", "Mars/Olympus", "a"], "Mars/Olympus"),
    (["--offline", "--app-zone", "Nowhere", "a"], "Nowhere"),
    (["--offline", "--failed-wins", "sometimes", "a"], "sometimes"),
    (["--offline", "--timestamps", "latest", "a"], "latest"),
    (["--offline", "--approximate-times", "guess", "a"], "guess"),
    (["--offline", "--format", "xml", "a"], "xml"),
    (["--offline", "--since", "yesterdayish", "a"], "yesterdayish"),
    (["--offline", "--until", "2025-13-01", "a"], "2025-13-01"),
    (["--offline", "--settle", "5", "a"], "5"),
    (["--offline", "--settle", "5w", "a"], "5w"),
    (["--offline", "--jobs", "0", "a"], "0"),
    (["--offline", "--jobs", "many", "a"], "many"),
    (["--offline", "--max-record", "0", "a"], "0"),
    (["--offline", "--max-record", "12parsecs", "a"], "12parsecs"),
    (["--offline", "--max-corrections", "150%", "a"], "150%"),
    (["--offline", "--max-corrections", "x", "a"], "x"),
    (["--offline", "--batch", "0", "a"], "0"),
    (["--offline", "--time-tolerance", "-3", "a"], "-3"),
    (["--offline", "--status-codes"], "status-codes"),
    (["--offline", "--states-out", "-", "a"], "-o"),
    (["--rebuild", "--instance", "i", "a"], "--instance"),
]


@pytest.mark.parametrize("arguments,named", WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_a_wrong_option_is_one_line_and_status_2(replay, archive, arguments, named):
    done = replay(*arguments)
    assert done.status == 2, done
    assert len(done.lines) == 1, done.said
    assert named in done.lines[0]
    assert done.out == b""


def test_since_is_refused_together_with_states_in(replay, archive):
    replay("--offline", "--states-out", "s", "-o", "r", archive)
    done = replay("--offline", "--since", "7d", "--states-in", "s", "-o", "r")
    assert done.status == 2 and len(done.lines) == 1
    assert "--states-in" in done.said


def test_the_dialect_may_come_from_the_environment(replay, tmp_path):
    archives.save(tmp_path / "a", LINE.replace(b'"READ"', b"2"), 1760900000)
    env = tool.environment(tmp_path, RECONCILE_STATUS_CODES="baileys")
    done = replay("--offline", "--states-out", "-", "-o", "r", "a", env=env)
    assert json.loads(done.out)["seen"] == ["sent"]
    done = replay("--offline", "--status-codes", "app", "--states-out", "-", "-o", "r", "a", env=env)
    assert json.loads(done.out)["seen"] == ["delivered"], "the command line comes first"
    env = tool.environment(tmp_path, RECONCILE_STATUS_CODES="meta")
    done = replay("--offline", "-o", "r", "a", env=env)
    assert done.status == 2 and len(done.lines) == 1
    assert "RECONCILE_STATUS_CODES" in done.said
    done = replay("--offline", "--status-codes=app", "--states-out", "-", "-o", "r", "a", env=env)
    assert done.status == 0, "what the command line overrules is not looked at"
    assert json.loads(done.out)["seen"] == ["delivered"]
    done = replay("--offline", "--status-codes=meta", "-o", "r", "a", env=env)
    assert done.status == 2 and "--status-codes" in done.said, done


def test_no_database_is_one_line_with_the_reason_and_status_4(replay, archive, tmp_path):
    for arguments in (["-d", "host=%s dbname=x" % tmp_path], ["-d", "host=%s" % tmp_path, "--apply"]):
        done = replay(*arguments, archive)
        assert done.status == 4, done
        assert len(done.lines) == 1, done.said
        assert "No such file or directory" in done.said or "could not connect" in done.said
        assert str(tmp_path) in done.said


def test_a_connection_string_nobody_can_read_is_refused(replay, archive):
    done = replay("-d", "host=x nonsense", archive)
    assert done.status == 2 and len(done.lines) == 1
    assert "connection string" in done.said


def test_offline_needs_no_database(replay, archive):
    env = tool.environment(pathlib.Path("/nonexistent"), PGHOST="/nonexistent")
    done = replay("--offline", archive, env=env)
    assert done.status == 0, done


def test_version_and_help(replay):
    done = replay("--version")
    assert done.status == 0 and done.err == b""
    version = done.out.decode()
    assert version.startswith("replay ")
    for library in ("jansson", "zlib", "libpq"):
        assert library in version
    done = replay("--help")
    assert done.status == 0 and done.err == b""
    helped = done.out.decode()
    for option in ("--offline", "--states-in", "--max-record", "--rejects", "--dry-run", "--jobs",
                   "--dbname", "--failed-wins", "--accept-damaged"):
        assert option in helped


def test_the_report_goes_to_a_file_and_leaves_no_temporary_behind(replay, archive, tmp_path):
    (tmp_path / "out").mkdir()
    done = replay("--offline", "--format", "json", "-o", "out/r.json", archive)
    assert done.status == 0 and done.out == b""
    assert json.loads((tmp_path / "out" / "r.json").read_text())["input"]["records"] == 1
    assert os.listdir(tmp_path / "out") == ["r.json"]
    on_stdout = replay("--offline", "--format", "json", "-o", "-", archive)
    assert json.loads(on_stdout.out)["input"]["records"] == 1


def test_text_report_is_the_default_and_talks_on_stderr_only_of_trouble(replay, archive):
    done = replay("--offline", archive)
    assert done.status == 0 and done.out
    with pytest.raises(ValueError):
        json.loads(done.out)


@pytest.mark.parametrize("arguments", [
    ["--format", "json"], ["--format", "text"], ["--states-out", "-", "-o", "r"]])
def test_a_full_device_is_status_4(replay, archive, arguments):
    with open("/dev/full", "wb") as full:
        done = replay("--offline", *arguments, archive, stdout=full)
    assert done.status == 4, done
    assert "No space left on device" in done.said


@pytest.mark.parametrize("option", ["-o", "--states-out", "--rejects"])
def test_a_file_that_cannot_be_written_is_status_4(replay, archive, option):
    done = replay("--offline", option, "no/such/directory/f", archive)
    assert done.status == 4, done
    assert "no/such/directory/f" in done.said
    assert "No such file or directory" in done.said


def test_states_that_are_no_states_are_named_and_the_rest_is_used(replay, archive, tmp_path):
    replay("--offline", "--states-out", "good", "-o", "r", archive)
    good = (tmp_path / "good").read_text()
    (tmp_path / "bad").write_text(good + '{"instance":"i"}\n')
    done = replay("--offline", "--states-in", "bad", "--states-out", "-", "-o", "r")
    assert done.status == 3, done
    assert '"bad"' in done.said and "line 2" in done.said
    assert done.out.decode() == good
    done = replay("--offline", "--states-in", "gone", "--states-in", "good", "--states-out", "-",
                  "-o", "r")
    assert done.status == 3 and '"gone"' in done.said
    assert done.out.decode() == good


def test_states_are_written_for_their_owner_only(replay, archive, tmp_path):
    replay("--offline", "--states-out", "s", "-o", "r", archive)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


def test_values_may_be_attached_to_their_options(replay, archive, tmp_path):
    done = replay("--offline", "-j1", "--format=json", "-o", "r", archive)
    assert done.status == 0, done
    assert json.loads((tmp_path / "r").read_text())["run"]["tool"] == "replay"


NUMBERS = [("--connections", "0", "257"), ("--page-size", "0", "100001"), ("--rate", "0", "0/s"),
           ("--request-timeout", "0", "86401"), ("--batch", "0", "1000001")]


@pytest.mark.parametrize("option,zero,beyond", NUMBERS, ids=[n[0] for n in NUMBERS])
def test_a_number_of_a_poll_that_cannot_be_used_is_refused(tmp_path, option, zero, beyond):
    for value in (zero, beyond):
        done = tool.run("reconcile", ["poll", option, value], tmp_path)
        assert done.status == 2 and len(done.lines) == 1, done
        assert option in done.said and '"%s"' % value in done.said, done


@pytest.mark.parametrize("arguments", [["poll", "--no-such-option"], ["audit", "--settle", "x"],
                                       ["poll", "extra"]], ids=" ".join)
def test_an_error_names_the_command_it_is_of(tmp_path, arguments):
    done = tool.run("reconcile", arguments, tmp_path)
    assert done.status == 2, done
    assert len(done.lines) == 1 and \
        done.lines[0].startswith("reconcile %s: error: " % arguments[0]), done.said


def test_an_error_before_a_command_is_known_names_the_program(tmp_path):
    done = tool.run("reconcile", ["pol"], tmp_path)
    assert done.status == 2 and done.lines[0].startswith("reconcile: error: "), done
