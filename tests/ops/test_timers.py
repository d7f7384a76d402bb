"""Timers, crontab and their settings: systemd accepts them, and the programs what they are told."""

import datetime
import os
import re
import shlex
import shutil
import stat
import subprocess

import pytest

import promtext
import tool

CRON = tool.ROOT / "cron"
UNITS = sorted(p.name for p in (CRON / "systemd").glob("reconcile-*.*") if p.is_file())
SERVICES = [u for u in UNITS if u.endswith(".service")]
USAGE, FAILED = 2, 4
OF_CRON = ("PATH", "MAILTO", "STATE_DIRECTORY")  # systemd has units for these


def systemd(name):
    path = tool.find(name)
    if not path:
        pytest.skip("%s is not installed (Debian package systemd)" % name)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root directory with the programs and units installed as a package does it."""
    directory = tmp_path_factory.mktemp("root")
    tool.make("install", "install-system", "DESTDIR=%s" % directory, "PREFIX=/usr")
    base = next((d for d in ("/lib/systemd/system", "/usr/lib/systemd/system")
                 if os.path.isdir(d)), None)
    if base:  # sysinit.target and its like, which every unit depends on
        shutil.copytree(base, directory / "usr/lib/systemd/system", symlinks=True,
                        dirs_exist_ok=True, ignore=shutil.ignore_patterns("reconcile*"))
    return directory


def test_systemd_finds_nothing_wrong(root):
    done = subprocess.run([systemd("systemd-analyze"), "--root=%s" % root, "--man=no", "verify"]
                          + UNITS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert (done.returncode, done.stdout.decode()) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_exposed_to_little(root, service):
    done = subprocess.run([systemd("systemd-analyze"), "--root=%s" % root, "--no-pager", "security",
                           "--offline=yes", service], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    said = done.stdout.decode()
    exposure = float(re.search(r"Overall exposure level for %s: ([\d.]+)" % re.escape(service),
                               said).group(1))
    assert exposure < 2.0, said


def test_timers_and_services_belong_together():
    assert SERVICES == ["reconcile-audit.service", "reconcile-poll.service",
                        "reconcile-replay.service"]
    assert [u.replace(".timer", ".service") for u in UNITS if u.endswith(".timer")] == SERVICES


@pytest.mark.parametrize("unit", [u for u in UNITS if u.endswith(".timer")])
def test_a_timer_goes_off_as_often_as_it_says(unit):
    text = (CRON / "systemd" / unit).read_text()
    calendar = re.search("^OnCalendar=(.*)$", text, re.MULTILINE).group(1)
    done = subprocess.run([systemd("systemd-analyze"), "calendar", "--iterations=2", calendar],
                          stdout=subprocess.PIPE, env=dict(os.environ, TZ="UTC", LC_ALL="C"))
    assert done.returncode == 0
    days = re.findall(r"(\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d UTC", done.stdout.decode())
    first, second = (datetime.date.fromisoformat(d) for d in sorted(set(days))[:2])
    assert (second - first).days == (7 if "replay" in unit else 1)


METRICS = re.compile(r"^#([A-Z]+_METRICS=.*)$", re.MULTILINE)


def text_of(name, metrics):
    """A file of settings; metrics: with the "#" taken from the lines that name files of metrics."""
    text = (CRON / name).read_text()
    assert len(METRICS.findall(text)) == len(SERVICES)
    return METRICS.sub(r"\1", text) if metrics else text


def settings(metrics=False):
    """The variables of /etc/default/reconcile, as systemd reads them."""
    found = {}
    for line in text_of("reconcile.default", metrics).splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            assert re.fullmatch("[A-Z_]+", name)
            found[name] = value
    return found


def unit_command(service, credentials, state, metrics=False):
    """ExecStart with its specifiers and variables put in, in the words that systemd would make."""
    text = (CRON / "systemd" / service).read_text()
    variables = dict(re.findall("^Environment=([A-Z_]+)=(.*)$", text, re.MULTILINE))
    variables.update(settings(metrics))
    words = []
    for word in re.search("^ExecStart=(.*)$", text, re.MULTILINE).group(1).split():
        if word.startswith("$") and not word.startswith("${"):
            words += variables[word[1:]].split()
            continue
        words.append(word.replace("${CREDENTIALS_DIRECTORY}", str(credentials)).replace("%S", str(state)))
        assert "%" not in words[-1]
    return words


def cron_jobs(metrics=False):
    """(schedule, user, words) of each job of the crontab, and its variables."""
    jobs, variables = [], {}
    for line in text_of("crontab", metrics).splitlines():
        if re.match(r"[A-Z]+[A-Z_]*=", line):
            name, value = line.split("=", 1)
            variables[name] = value
        elif line and not line.startswith("#"):
            assert "%" not in line.replace(r"\%", ""), "cron makes a line feed of it"
            fields = line.split(None, 6)
            command = re.sub(r"\$([A-Z_]+)", lambda v: variables.get(v.group(1), ""), fields[6])
            jobs.append((fields[:5], fields[5], shlex.split(command.replace(r"\%", "%"))))
    return jobs, variables


def runs_as_far_as_the_database(words, tmp_path, environment):
    """The command line is accepted, and only then the database is missed."""
    program, arguments = os.path.basename(words[0]), words[1:]
    env = tool.environment(tmp_path)
    env.update(environment, PGSERVICEFILE=str(tmp_path / "pg_service.conf"))
    (tmp_path / "pg_service.conf").write_text(
        "[%s]\nhost=%s\ndbname=x\n" % (environment["PGSERVICE"], tmp_path))
    wrong = tool.run(program, arguments + ["--no-such-option"], tmp_path, env=env)
    assert wrong.status == USAGE
    done = tool.run(program, arguments, tmp_path, env=env)
    assert done.status == FAILED and "could not connect to the database" in done.said, done


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_what_its_program_understands(service, tmp_path):
    (tmp_path / "api-key").write_text("key\n")
    words = unit_command(service, tmp_path, tmp_path)
    assert words[0] in ("/usr/bin/replay", "/usr/bin/reconcile")
    assert "--apply" in words and "--lock-wait" in words and "--max-corrections" in words
    runs_as_far_as_the_database(words, tmp_path, {
        k: v for k, v in settings().items() if not k.endswith(("_OPTIONS", "_METRICS"))})


def test_the_key_of_a_poll_is_a_credential():
    text = (CRON / "systemd/reconcile-poll.service").read_text()
    assert "LoadCredential=api-key:/etc/reconcile/api-key" in text
    assert "--api-key-file ${CREDENTIALS_DIRECTORY}/api-key" in text
    assert not any("KEY" in name or "PASSWORD" in name for name in settings())


def test_cron_is_told_what_the_programs_understand(tmp_path):
    jobs, variables = cron_jobs()
    assert len(jobs) == len(SERVICES)
    for schedule, user, words in jobs:
        assert user == "reconcile"
        for field, low, high in zip(schedule, (0, 0, 1, 1, 0), (59, 23, 31, 12, 7)):
            assert field == "*" or low <= int(field) <= high
        words = [w.replace("/etc/reconcile/api-key", str(tmp_path / "api-key")) for w in words]
        (tmp_path / "api-key").write_text("key\n")
        runs_as_far_as_the_database(words, tmp_path, {
            k: v for k, v in variables.items() if k not in OF_CRON})


@pytest.mark.parametrize("metrics", [False, True])
def test_cron_and_systemd_do_the_same(metrics):
    def normal(words):
        return sorted(words[1:])
    by_cron = [normal(words) for _, _, words in cron_jobs(metrics)[0]]
    by_systemd = [normal(unit_command(s, "/etc/reconcile", "/var/lib", metrics)) for s in SERVICES]
    assert sorted(by_cron) == sorted(by_systemd)
    assert all(("--metrics" in words) == metrics for words in by_cron)
    _, variables = cron_jobs()
    assert {k: v for k, v in variables.items() if k not in OF_CRON} == {
        k: v for k, v in settings().items() if not k.endswith(("_OPTIONS", "_METRICS"))}


METRICS_DIRECTORY = "/var/lib/prometheus/node-exporter/"


@pytest.mark.parametrize("how", ["cron"] + SERVICES)
def test_metrics_are_a_line_to_be_uncommented_away(how, tmp_path):
    (tmp_path / "api-key").write_text("key\n")
    commands = ([words for _, _, words in cron_jobs(True)[0]] if how == "cron"
                else [unit_command(how, tmp_path, tmp_path, True)])
    written = set()
    for words in commands:
        words = [w.replace("/etc/reconcile/api-key", str(tmp_path / "api-key"))
                 .replace(METRICS_DIRECTORY, str(tmp_path) + "/") for w in words]
        runs_as_far_as_the_database(words, tmp_path, {
            k: v for k, v in settings().items() if not k.endswith(("_OPTIONS", "_METRICS"))})
        path = tmp_path / os.path.basename(words[words.index("--metrics") + 1])
        name = os.path.basename(words[0])
        run = promtext.Metrics(path, name if name == "replay" else " ".join([name, words[1]]))
        assert run("last_run_exit_status") == FAILED
        written.add(path)
    assert len(written) == len(commands), "each has a file of its own"


def test_the_units_may_write_their_metrics_and_bear_that_there_is_no_such_place():
    common = (CRON / "systemd/reconcile-.service.d/10-common.conf").read_text()
    assert "ReadWritePaths=-" + METRICS_DIRECTORY.rstrip("/") in common.splitlines()
    for name in "reconcile.default", "crontab":
        assert all(METRICS_DIRECTORY in line for line in METRICS.findall(text_of(name, False)))


def test_statuses_that_leave_something_to_do_fail_the_unit():
    common = (CRON / "systemd/reconcile-.service.d/10-common.conf").read_text()
    good = set(map(int, re.search("^SuccessExitStatus=(.*)$", common, re.MULTILINE).group(1).split()))
    assert {1, 3} <= good and not good & {2, 4, 5}


@pytest.mark.parametrize("name", ["reconcile.tmpfiles", "webhook-capture.tmpfiles"])
def test_tmpfiles_makes_what_it_should(name, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give directories away")
    tmpfiles = systemd("systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\nreconcile:x:990:990::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nwww-data:x:33:\nreconcile:x:990:\n")
    conf = tmp_path / "etc/tmpfiles.d" / (name.split(".")[0] + ".conf")
    conf.parent.mkdir()
    shutil.copy(CRON / name, conf)
    done = subprocess.run([tmpfiles, "--create", "--root=%s" % tmp_path, conf.name],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b""), done.stdout
    made = {}
    for line in (CRON / name).read_text().splitlines():
        if line and not line.startswith("#"):
            _, path, mode, user, group, _ = line.split()
            st = os.stat(str(tmp_path) + path)
            made[path] = stat.S_IMODE(st.st_mode)
            assert stat.S_IMODE(st.st_mode) == int(mode, 8)
            assert (st.st_uid, st.st_gid) == ({"root": 0, "www-data": 33, "reconcile": 990}[user],
                                              {"root": 0, "reconcile": 990}[group])
    assert made and all(not mode & 0o007 for mode in made.values())
