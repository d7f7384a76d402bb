"""--metrics: a file that Prometheus can read, whatever becomes of the run."""

import os
import re
import signal
import stat
import subprocess
import time

import pytest

import archives
import promtext
import tool
from promtext import Metrics

LINES = (b'{"event":"messages.update","instance":"i","data":{"keyId":"K","status":"READ"},'
         b'"date_time":"2025-10-20T10:00:00Z"}\n{"broken\n'
         b'{"event":"messages.update","instance":"i","data":{"keyId":"K","status":"ODD"},'
         b'"date_time":"2025-10-20T10:00:00Z"}\n')


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", LINES, 1760900000)
    return "a"


@pytest.fixture
def measured(replay, archive, tmp_path):
    """measured(status, arguments...): the metrics of a replay that ends so."""
    def run(status, *arguments):
        done = replay("--metrics", "m.prom", *arguments)
        assert done.status == status, done
        return Metrics(tmp_path / "m.prom", "replay")
    return run


def test_the_numbers_are_those_of_the_run(measured, tmp_path):
    before = time.time()
    m = measured(0, "--offline", "a")
    assert m("last_run_exit_status") == 0 and m("last_run_applied") == 0
    assert m("runs_total", exit_status="0") == 1 and m("runs_total", exit_status="4") == 0
    assert (m("last_run_archives"), m("last_run_records")) == (1, 3)
    assert m("last_run_status_events") == 1
    assert m("last_run_rejected", reason="invalid_json") == 1
    assert m("last_run_rejected", reason="unknown_status") == 1
    assert m("last_run_rejected", reason="too_large") == 0
    assert m("last_run_read_bytes") == m("last_run_stored_bytes") == len(LINES)
    assert before - 1 <= m("last_run_timestamp_seconds") <= time.time() + 1
    assert m("last_success_timestamp_seconds") == m("last_run_timestamp_seconds")
    assert 0 < m("last_run_duration_seconds") < 60
    assert m("build_info", version=tool.run("replay", ["--version"], tmp_path).out.decode()
             .split()[1]) == 1
    assert m.get("last_run_corrections", cause="missed_webhook") is None, "nothing was decided"


def test_counters_add_up_over_runs_and_gauges_do_not(measured):
    measured(0, "--offline", "a")
    m = measured(0, "--offline", "a")
    assert m("runs_total", exit_status="0") == 2
    assert (m("records_total"), m("last_run_records")) == (6, 3)
    assert m("rejected_total", reason="invalid_json") == 2
    assert m("read_bytes_total") == 2 * len(LINES)


def test_other_users_may_read_it_whatever_the_umask_is(replay, archive, tmp_path):
    old = os.umask(0o077)
    try:
        assert replay("--offline", "--metrics", "m.prom", archive).status == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m.prom").stat().st_mode) == 0o644
    assert sorted(p.name for p in tmp_path.iterdir() if "prom" in p.name) == ["m.prom"]


def test_a_run_that_fails_keeps_the_last_success(measured, tmp_path):
    first = measured(0, "--offline", "a")
    success = first("last_success_timestamp_seconds")
    nowhere = ["-d", "host=%s" % tmp_path]
    for status, arguments in [(4, nowhere + ["a"]), (4, nowhere + ["--apply", "a"]),
                              (2, ["--offline", "--settle", "x", "a"]),
                              (2, ["--offline", "--no-such-option", "a"]),
                              (4, ["--offline", "-o", "no/such/directory/r", "a"])]:
        m = measured(status, *arguments)
        assert m("last_success_timestamp_seconds") == success, arguments
        assert m("last_run_timestamp_seconds") > success
        assert m("last_run_exit_status") == status
    assert m("runs_total", exit_status="4") == 3 and m("runs_total", exit_status="2") == 2
    assert m("records_total") >= 3, "what was counted before is kept"
    assert measured(0, "--offline", "a")("last_success_timestamp_seconds") > success


NAMED = ["--metrics", "m.prom"]


@pytest.mark.parametrize("config,arguments,env", [
    ("bogus = 1\n", NAMED, {}),
    ("settle = x\n", NAMED, {}),
    ("settle 15m\n", NAMED, {}),
    ("metrics = other\nbogus = 1\n", NAMED, {}),
    (None, NAMED, {}),
    ("", NAMED, {"RECONCILE_STATUS_CODES": "bogus"}),
    ("", NAMED, {"RECONCILE_NOW": "bogus"}),
    ("metrics = m.prom\nbogus = 1\n", [], {}),
    ("bogus = 1\nmetrics = m.prom\n", [], {}),
    ("settle 15m\nmetrics = m.prom\n", [], {}),
    ("bogus = 1\nsettle 15m\nmetrics = m.prom\nmetrics = other\n", [], {}),
    ("metrics = m.prom\n", [], {"RECONCILE_STATUS_CODES": "bogus"}),
])
def test_a_run_counts_that_its_settings_keep_from_beginning(tmp_path, archive, config, arguments,
                                                            env):
    if config is not None:
        (tmp_path / "conf").write_text(config)
    done = tool.run("replay", ["--config", "conf", *arguments, "--offline", archive], tmp_path,
                    env=tool.environment(tmp_path, **env))
    assert done.status == 2 and len(done.lines) == 1, done
    assert Metrics(tmp_path / "m.prom", "replay")("last_run_exit_status") == 2
    assert not (tmp_path / "other").exists()


def test_before_the_first_success_there_is_no_time_of_it(measured, tmp_path):
    m = measured(4, "-d", "host=%s" % tmp_path, "a")
    assert m.get("last_success_timestamp_seconds") is None


def test_a_damaged_archive_is_a_success_that_says_so(measured, tmp_path):
    (tmp_path / "a").write_bytes(b"\x1f\x8b\x08\0garbage")
    os.utime(tmp_path / "a", (1760900000,) * 2)
    m = measured(3, "--offline", "a")
    assert m("last_run_archives_damaged") == 1 and m("last_run_exit_status") == 3
    assert m.get("last_success_timestamp_seconds") == m("last_run_timestamp_seconds")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_writes_them(tmp_path, number):
    process = tool.start("replay", ["--offline", "--metrics", "m.prom", "-"], tmp_path,
                         stdin=subprocess.PIPE)
    process.stdin.write(LINES * 20000)
    process.stdin.flush()
    time.sleep(0.3)
    process.send_signal(number)
    time.sleep(0.1)
    done = tool.finish(process)
    assert done.status == 128 + number, done
    m = Metrics(tmp_path / "m.prom", "replay")
    assert m("last_run_exit_status") == 128 + number
    assert m("runs_total", exit_status=str(128 + number)) == 1


@pytest.mark.parametrize("content", ["precious\n", "# HELP other_metric x\n", "\0" * 50])
def test_a_file_that_holds_no_metrics_of_ours_is_left_alone(replay, archive, tmp_path, content):
    (tmp_path / "m.prom").write_text(content)
    done = replay("--offline", "--metrics", "m.prom", archive)
    assert done.status == 4 and '"m.prom"' in done.said, done
    assert (tmp_path / "m.prom").read_text() == content
    assert done.out, "the report is written all the same"


def test_an_archive_is_not_replaced(replay, archive, tmp_path):
    for arguments in (["--offline"], ["--offline", "--settle", "x"]):
        done = replay(*arguments, "--metrics", archive, archive)
        assert done.status == 2, done
        assert (tmp_path / archive).read_bytes() == LINES


def test_it_is_no_output_of_something_else(replay, archive):
    done = replay("--offline", "--metrics", "x", "-o", "x", archive)
    assert done.status == 2 and "name the same file" in done.said, done
    assert replay("--offline", "--metrics", "-", archive).status == 2


def test_a_directory_that_is_not_there_is_status_4(replay, archive):
    done = replay("--offline", "--metrics", "no/such/m.prom", archive)
    assert done.status == 4 and "no/such/m.prom" in done.said, done


@pytest.mark.parametrize("odd", ['1e9 inject"', "1.2.3", "...", ".5", "5.", "-1"])
def test_odd_values_in_the_file_before_count_as_none(measured, tmp_path, odd):
    measured(0, "--offline", "a")
    path = tmp_path / "m.prom"
    text = path.read_text()
    text = re.sub(r"^(reconcile_records_total\S*) .*", r"\1 NaN", text, flags=re.MULTILINE)
    text = re.sub(r"^(reconcile_last_success\S*) .*", r"\1 " + odd, text, flags=re.MULTILINE)
    path.write_text(text)
    m = measured(2, "--offline", "--settle", "x", "a")
    assert m("records_total") == 0 and m.get("last_success_timestamp_seconds") is None


def test_a_counter_that_cannot_grow_stays_and_does_not_start_anew(measured, tmp_path):
    path = tmp_path / "m.prom"
    measured(0, "--offline", "a")
    for held in 2**64 - 2, 2**64 - 1, 99999999999999999999999:
        path.write_text(re.sub(r"^(reconcile_records_total\S*) .*", r"\1 %d" % held,
                               path.read_text(), flags=re.MULTILINE))
        m = measured(0, "--offline", "a")
        assert m("records_total") == float(2**64 - 1), held


def test_each_command_has_a_label_of_its_own(tmp_path):
    for command in "poll", "audit", "apply", "revert":
        done = tool.run("reconcile", [command, "--metrics", command, "--no-such-option"], tmp_path)
        assert done.status == 2, done
        assert Metrics(tmp_path / command, "reconcile " + command)("last_run_exit_status") == 2


def test_without_a_command_there_is_no_tool_to_count_for(tmp_path):
    assert tool.run("reconcile", ["-", "--metrics", "m.prom"], tmp_path).status == 2
    assert not (tmp_path / "m.prom").exists(), "no command could write to it any more"


# ---- one file, one tool ----------------------------------------------------------------------

def test_metrics_of_another_tool_are_refused_before_anything_is_done(replay, archive, tmp_path):
    audit = ["audit", "--metrics", "m.prom", "-d", "host=%s" % tmp_path]
    assert tool.run("reconcile", audit, tmp_path).status == 4
    held = (tmp_path / "m.prom").read_text()
    done = replay("--offline", "--metrics", "m.prom", "-o", "report", archive)
    assert done.status == 2 and len(done.lines) == 1, done
    assert '"m.prom"' in done.said and "reconcile audit" in done.said, done
    assert (tmp_path / "m.prom").read_text() == held and not (tmp_path / "report").exists()
    assert tool.run("reconcile", audit, tmp_path).status == 4
    assert Metrics(tmp_path / "m.prom", "reconcile audit")("runs_total", exit_status="4") == 2


def test_a_run_that_does_not_begin_replaces_no_other_metrics_either(measured, tmp_path):
    measured(0, "--offline", "a")
    held = (tmp_path / "m.prom").read_text()
    done = tool.run("reconcile", ["poll", "--metrics", "m.prom", "--no-such-option"], tmp_path)
    assert done.status == 2 and "--no-such-option" in done.said, done
    assert '"m.prom" holds those of replay' in done.said, done
    assert (tmp_path / "m.prom").read_text() == held


def test_metrics_that_come_to_be_anothers_meanwhile_are_kept(tmp_path):
    other = tool.run("reconcile", ["audit", "--metrics", "other", "--no-such-option"], tmp_path)
    assert other.status == 2
    held = (tmp_path / "other").read_text()
    process = tool.start("replay", ["--offline", "--metrics", "m.prom", "-"], tmp_path,
                         stdin=subprocess.PIPE)
    process.stdin.write(LINES * 2000)  # more than a pipe holds: it is being read by now
    process.stdin.flush()
    (tmp_path / "other").rename(tmp_path / "m.prom")
    done = tool.finish(process)
    assert done.status == 4 and '"m.prom" holds those of reconcile audit' in done.said, done
    assert done.out and (tmp_path / "m.prom").read_text() == held


def test_metrics_that_two_tools_share_are_of_neither(measured, replay, archive, tmp_path):
    measured(0, "--offline", "a")
    text = (tmp_path / "m.prom").read_text()
    (tmp_path / "m.prom").write_text(text + text.replace('"replay"', '"reconcile poll"'))
    done = replay("--offline", "--metrics", "m.prom", archive)
    assert done.status == 2 and "reconcile poll" in done.said, done


@pytest.mark.parametrize("damage", [
    lambda text: "",
    lambda text: text[:40],
    lambda text: text[:text.index('"reconcile poll"') + 6],
    lambda text: text.replace('"reconcile poll"', '"reconcile\x07poll"'),
    lambda text: text.replace('"reconcile poll"', "reconcile poll"),
    lambda text: text.replace("{tool=", "{loot="),
])
def test_a_damaged_file_is_of_nobody_and_replaced(measured, tmp_path, damage):
    poll = tool.run("reconcile", ["poll", "--metrics", "m.prom", "--no-such-option"], tmp_path)
    assert poll.status == 2
    (tmp_path / "m.prom").write_text(damage((tmp_path / "m.prom").read_text()))
    assert measured(0, "--offline", "a")("runs_total", exit_status="0") == 1


# ---- the parser that judges them -----------------------------------------------------------

GAUGE = "# HELP x y\n# TYPE x gauge\n"
BAD = [
    (GAUGE + "x 1", "no end"),
    (GAUGE + "x 1\n# TYPE x gauge\n", "a second TYPE"),
    (GAUGE, "without help, type or samples"),
    ("# TYPE x gauge\nx 1\n", "without help"),
    ("# HELP x y\nx 1\n", "without help, type"),
    ("# HELP x y\n# TYPE x counter\nx 1\n", "_total"),
    (GAUGE.replace("x ", "x_total ") + "x_total 1\n", "_total"),
    (GAUGE.replace("x ", "x_counter ") + "x_counter 1\n", "a type in a name"),
    (GAUGE + 'x{a="1"} 1\nx{a="1"} 2\n', "twice"),
    (GAUGE + 'x{a="1",a="2"} 1\n', "twice"),
    (GAUGE + 'x{a="1" b="2"} 1\n', "no comma"),
    (GAUGE + 'x{a="\\x"} 1\n', "no label's value"),
    (GAUGE + 'x{a="1} 1\n', "no label's value"),
    (GAUGE + "x one\n", "no value"),
    (GAUGE + "x -1\n", "below 0"),
    (GAUGE + "x 1 1700000000000\n", "time stamp"),
    ("# HELP x y\n# TYPE x gauges\nx 1\n", "no type"),
    (GAUGE + 'x{a="1"} 1\n# HELP y z\n# TYPE y gauge\ny 1\nx{a="2"} 1\n', "apart"),
    (GAUGE + "1x 1\n", "no metric's name"),
] + [(GAUGE.replace("x ", name + " ") + name + " 1\n", why) for name, why in (
    # What promtool check metrics complains of besides.
    ("x_milliseconds", "no base unit"), ("x_kilobytes_read", "no base unit"),
    ("x_hours", "no base unit"), ("x_ms", "cut short"), ("x_mb_read", "cut short"),
    ("x_bucket", "a suffix of histograms"), ("x_count", "a suffix"), ("x_sum", "a suffix"),
    ("x:y", "a colon"), ("lastRun", "camelCase"))] + [
    (GAUGE + 'x{%s="1"} 1\n' % label, "a label of histograms")
    for label in ("le", "quantile", "exitStatus")]


@pytest.mark.parametrize("text,why", BAD)
def test_the_parser_refuses_what_is_malformed(text, why):
    with pytest.raises(promtext.Malformed, match=why):
        promtext.parse(text)


def test_the_parser_takes_what_is_well_formed():
    text = ('# a comment\n\n# HELP x_total a\\\\b\\n\n# TYPE x_total counter\nx_total{a="b\\"\\\\\\n",} 1\n'
            '# HELP y z\n# TYPE y gauge\ny 1.5e3\n')
    assert promtext.parse(text) == {("x_total", (("a", 'b"\\\n'),)): 1.0, ("y", ()): 1500.0}


# ---- the alert rules -------------------------------------------------------------------------

ALERTS = tool.ROOT / "docs" / "alerts.yml"


def test_promtool_accepts_the_alerts():
    promtool = tool.find("promtool")
    if not promtool:
        pytest.skip("no promtool: Debian's package prometheus has it")
    done = subprocess.run([promtool, "check", "rules", str(ALERTS)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout.decode()
