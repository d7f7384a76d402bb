"""Odd surroundings: what the caller, the machine and the file system can do to a run of replay.

What a run says names the file and the reason, its status is the documented one, nothing is left
half written, and it ends."""

import errno
import gzip
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest

import archives
import promtext
import tool
import world as worlds

MTIME = 1760900000
OUTPUTS = ["-o", "--states-out", "--rejects", "--metrics"]
WAIT = 60
MIB = 1 << 20
unsanitized = pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                                 reason="a sanitizer has memory and a loader of its own")
heavy = pytest.mark.skipif(not os.environ.get("HEAVY"), reason="for make check-heavy")


def line(message_id="K", instance="i"):
    return worlds.line(instance, message_id, "READ", "2025-10-20T10:00:00Z")


def many(count):
    return b"".join(line("K%06d" % n) for n in range(count))


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", line() + b"{broken\n", MTIME)
    return "a"


def hidden(directory):
    """Temporary files that a run has left."""
    return [p.name for p in directory.iterdir() if p.name.startswith(".")]


def counted(done, directory, status=0):
    """The input of the JSON report of a run that wrote it to r.json."""
    assert done.status == status, done
    return json.loads((directory / "r.json").read_text())["input"]


def asleep_in(process, call):
    """Waits until a process sleeps in a system call (a name of /proc/PID/wchan or a part of it),
    or, where that is not told, until it sleeps at all, several times in a row."""
    until = time.monotonic() + WAIT
    seen = 0
    while seen < 3:
        assert process.poll() is None and time.monotonic() < until, "it does not wait in " + call
        base = pathlib.Path("/proc/%d" % process.pid)
        try:
            where = (base / "wchan").read_text()
        except OSError:
            where = ""
        state = (base / "stat").read_text().rpartition(")")[2].split()[0]
        seen = seen + 1 if call in where or (where in ("", "0") and state == "S") else 0
        time.sleep(0.02)


# ---- pipes, devices, sockets ------------------------------------------------------------------

def test_a_pipe_that_nobody_writes_to_is_named_and_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    run = tool.start("replay", ["--offline", "--states-out", "-", "-o", "r", "pipe"], tmp_path)
    assert b'"pipe" is a pipe that nothing has been written to yet' in run.stderr.readline()
    (tmp_path / "pipe").write_bytes(line())
    done = tool.finish(run)
    assert done.status == 0 and json.loads(done.out)["evidence"] == {"read": ["pipe", 1]}


def test_a_pipe_whose_writer_writes_nothing_is_an_empty_archive(replay, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    run = tool.start("replay", ["--offline", "--format", "json", "-o", "r.json", "pipe"], tmp_path)
    os.close(os.open(tmp_path / "pipe", os.O_WRONLY))
    assert counted(tool.finish(run), tmp_path)["bytes"] == 0


@pytest.mark.parametrize("jobs", ["1", "3"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("stuck", ["-", "pipe"])
def test_a_signal_ends_a_wait_for_input(tmp_path, stuck, number, jobs):
    os.mkfifo(tmp_path / "pipe")
    archives.save(tmp_path / "+first", line() + b"{broken\n", MTIME)
    run = tool.start("replay", ["--offline", "-j", jobs, "--states-out", "s", "-o", "r", "-v", "--rejects",
                                "rejects", "+first", stuck], tmp_path, stdin=subprocess.PIPE,
                     preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert b"record 2" in run.stderr.readline(), "the archive before it has been read"
    run.send_signal(number)
    try:
        # stdin stays open: communicate() would close it
        assert run.wait(WAIT) == 128 + number
    finally:
        run.kill()
        said = tool.finish(run).said
    assert "interrupted" in said
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "state") == ["+first", "pipe"]


def test_a_hangup_that_the_caller_ignores_ends_nothing(tmp_path):
    run = tool.start("replay", ["--offline", "-j1", "--states-out", "-", "-o", "r", "-"], tmp_path,
                     stdin=subprocess.PIPE,
                     preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    asleep_in(run, "poll")
    run.send_signal(signal.SIGHUP)
    done = tool.finish(run, line())
    assert done.status == 0 and json.loads(done.out)["message_id"] == "K"


def test_a_signal_ends_a_wait_for_a_reader(tmp_path):
    archives.save(tmp_path / "a", many(4000), MTIME)
    run = tool.start("replay", ["--offline", "--states-out", "-", "-o", "r", "a"], tmp_path)
    asleep_in(run, "poll")
    run.send_signal(signal.SIGTERM)
    try:
        assert run.wait(WAIT) == 128 + signal.SIGTERM
    finally:
        run.kill()
        done = tool.finish(run)
    assert "could not write to standard output: Interrupted system call" in done.said


def test_in_a_directory_only_files_are_read(replay, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    archives.save(logs / "a", line(), MTIME)
    os.mkfifo(logs / "pipe")
    os.symlink(".", logs / "loop")
    os.symlink("nowhere", logs / "broken")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.relpath(logs / "socket"))
        try:
            os.mknod(logs / "zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))
        except PermissionError:
            pass  # without root there are no devices
        counts = counted(replay("--offline", "--format", "json", "-o", "r.json", "logs"), tmp_path)
    assert (counts["archives"], counts["status_events"]) == (1, 1)


def test_a_socket_is_no_archive(replay, tmp_path, archive):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.relpath(tmp_path / "socket"))
        done = replay("--offline", "--format", "json", "-o", "r.json", "socket", archive)
    assert counted(done, tmp_path, 3)["status_events"] == 1
    assert 'could not open archive "socket": ' + os.strerror(errno.ENXIO) in done.said


@unsanitized
def test_a_device_without_end_is_read_in_bounded_memory_until_a_signal(tmp_path):
    measure, prefix = tool.measured("replay", tmp_path / "measured")
    run = tool.start(measure, prefix + ["--offline", "--max-record", "1M", "-o", "r", "/dev/zero"],
                     tmp_path, start_new_session=True)
    until = time.monotonic() + WAIT
    child = pathlib.Path("/proc/%d/task/%d/children" % (run.pid, run.pid))
    while not child.read_text() or "rchar" not in (
            read := pathlib.Path("/proc/%s/io" % child.read_text().split()[0]).read_text()) or \
            int(read.split()[1]) < 300 * MIB:
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(int(child.read_text()), signal.SIGTERM)
    tool.finish(run)
    _, _, kib, status = (tmp_path / "measured").read_text().split()
    assert int(status) == 128 + signal.SIGTERM and int(kib) * 1024 < 64 * MIB


# ---- files that change ------------------------------------------------------------------------

def test_files_that_change_between_listing_and_reading(tmp_path):
    """The pipe comes first by name, so what follows it is listed and not read yet."""
    lines = [line("K%d" % n) for n in range(3)]
    os.mkfifo(tmp_path / "a-pipe")
    (tmp_path / "b").mkdir()
    for name, data in ("b/gone", lines[0]), ("b/grows", lines[1]), ("b/shrinks", b"".join(lines)):
        archives.save(tmp_path / name, data, MTIME)
    run = tool.start("replay", ["--offline", "-j1", "--states-out", "-", "-o", "r", "a-pipe", "b"],
                     tmp_path)
    with open(tmp_path / "a-pipe", "wb") as writer:  # returns when it has been opened for reading
        (tmp_path / "b/gone").unlink()
        with open(tmp_path / "b/grows", "ab") as grows:
            grows.write(lines[2])
        os.truncate(tmp_path / "b/shrinks", len(lines[0]))
        writer.write(line("P"))
    done = tool.finish(run)
    assert done.status == 3
    assert 'could not open archive "b/gone": No such file or directory' in done.said
    found = {s["message_id"]: s["evidence"]["read"][0]
             for s in (json.loads(text) for text in done.out.splitlines())}
    assert found == {"K0": "b/shrinks", "K1": "b/grows", "K2": "b/grows", "P": "a-pipe"}


# ---- names ------------------------------------------------------------------------------------

def test_names_of_any_bytes_are_told_on_one_line_and_stay_json(tmp_path):
    names = [b"new\nline", b"\xff\xfe", b"esc\x1b[2J", "\u202eevil".encode(), b"-x", b"x" * 255]
    for number, name in enumerate(names):
        archives.save(pathlib.Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))),
                      line("K%d" % number) + b"{broken\n", MTIME)
    run = subprocess.Popen([os.fsencode(str(tool.BUILD / "replay")), b"--offline", b"--format", b"json",
                            b"-o", b"r.json", b"--states-out", b"-", b"--rejects", b"rejects", b"--"]
                           + names + [b"gone\n\xff"], cwd=str(tmp_path), env=tool.environment(tmp_path),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done = tool.finish(run)
    counts = counted(done, tmp_path, 3)
    assert counts["status_events"] == counts["invalid_json"] == len(names)
    assert len({json.loads(text)["evidence"]["read"][0] for text in done.out.splitlines()}) == len(names)
    assert all(text.startswith("replay: ") and text.isprintable() for text in done.lines), done
    assert '"gone\\x0A\\xFF": No such file' in done.said
    rejected = (tmp_path / "rejects").read_text().splitlines()
    assert len([json.loads(text) for text in rejected]) == len(names)


def test_a_name_that_begins_with_a_dash_needs_two_of_them(replay, tmp_path):
    archives.save(tmp_path / "-x", line(), MTIME)
    assert replay("--offline", "-x").status == 2
    for arguments in ["--", "-x"], ["./-x"]:
        assert replay("--offline", *arguments).status == 0
    done = replay("--offline", "--states-out", "-", "-o", "r", "--", "-", stdin=line())
    assert json.loads(done.out)["evidence"] == {"read": ["-", 1]}, "- is stdin wherever it stands"


def test_an_archive_named_twice_or_linked_counts_no_event_twice(replay, tmp_path, archive):
    os.link(tmp_path / "a", tmp_path / "hard")
    once = replay("--offline", "--states-out", "-", "-o", "r", archive)
    done = replay("--offline", "--states-out", "-", "--format", "json", "-o", "r.json", archive,
                  archive, "hard", "a")
    assert done.out == once.out
    assert counted(done, tmp_path)["archives"] == 2, "the same name is one archive, a link another"


@pytest.mark.parametrize("arguments", [
    ["--states-out", "./x", "--rejects", "x"],
    ["--states-out", "sub/../x", "-o", "x"],
    ["--states-out", "{}/x", "-o", "x"],
    ["--states-out", "dir/x", "-o", "x"],
    ["--states-out", "x", "--rejects", "link"],
    ["--states-out", "link", "-o", "again"],
    ["--rejects", "old", "-o", "hard"],
    ["--rejects", "old", "-o", "./old"],
    ["--metrics", "link", "-o", "x"],
], ids=" ".join)
def test_two_outputs_are_not_written_to_one_file_however_it_is_named(replay, tmp_path, archive,
                                                                     arguments):
    (tmp_path / "sub").mkdir()
    (tmp_path / "dir").symlink_to(".")
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "again").symlink_to("sub/../link")
    (tmp_path / "old").write_text("kept")
    os.link(str(tmp_path / "old"), str(tmp_path / "hard"))
    done = replay("--offline", *[a.format(tmp_path) for a in arguments], archive)
    assert done.status == 2 and " name the same file" in done.said, done
    assert (tmp_path / "old").read_text() == "kept"
    assert "--metrics" in arguments or not (tmp_path / "x").exists()


def test_what_stdout_is_redirected_to_is_no_other_output(replay, tmp_path, archive):
    with open(str(tmp_path / "r"), "wb") as r:
        done = replay("--offline", "--states-out", "r", archive, stdout=r)
    assert done.status == 2 and "--output and --states-out name the same file" in done.said, done
    assert (tmp_path / "r").read_bytes() == b""


@pytest.mark.parametrize("arguments", [
    ["--states-in", "s", "-o", "s"],
    ["--states-in", "s", "--states-out", "./s"],
    ["--states-in", "s", "--rejects", "link"],
    ["--config", "s", "-o", "link"],
], ids=" ".join)
def test_what_is_read_is_not_written(replay, tmp_path, archive, arguments):
    assert replay("--offline", "--states-out", "s", archive).status == 0
    if "--config" in arguments:
        (tmp_path / "s").write_text("verbose\n")
    (tmp_path / "link").symlink_to("s")
    before = (tmp_path / "s").read_bytes()
    done = replay("--offline", *arguments, archive)
    assert done.status == 2 and '"s" that is read' in done.said, done
    assert (tmp_path / "s").read_bytes() == before


def test_files_of_one_name_in_two_directories_are_two(replay, tmp_path, archive):
    (tmp_path / "sub").mkdir()
    done = replay("--offline", "--states-out", "x", "--rejects", "sub/x", "-o", "y", archive)
    assert done.status == 0, done
    assert (tmp_path / "x").stat().st_size > 0 and (tmp_path / "sub" / "x").exists()


def test_a_device_or_a_pipe_may_be_written_to_twice(replay, tmp_path, archive):
    assert replay("--offline", "--states-out", "/dev/null", "-o", "/dev/null", archive).status == 0
    (tmp_path / "null").symlink_to("/dev/null")
    assert replay("--offline", "--states-out", "null", "-o", "/dev/null", archive).status == 0
    done = replay("--offline", "--states-out", "/dev/stdout", "-o", "/dev/stdout", archive)
    assert done.status == 0 and done.out.startswith(b'{"instance"'), done
    os.mkfifo(str(tmp_path / "fifo"))
    reader = os.open(str(tmp_path / "fifo"), os.O_RDONLY | os.O_NONBLOCK)
    done = replay("--offline", "--states-out", "fifo", "-o", "fifo", archive)
    said = os.read(reader, 65536)
    os.close(reader)
    assert done.status == 0 and said.startswith(b'{"instance"') and b"replay" in said, done


@pytest.mark.parametrize("option", ["-o", "--states-out", "--rejects", "--metrics", "--states-in",
                                    "--instance", "--since", "--jobs", "--memory", "--app-zone",
                                    "--date-time-zone", "--format"])
def test_an_empty_value_is_refused_by_the_name_of_its_option(replay, archive, option):
    done = replay("--offline", option, "", archive)
    assert done.status == 2 and len(done.lines) == 1, done
    assert option in done.said


def test_an_empty_name_is_an_archive_that_is_not_there(replay, tmp_path, archive):
    done = replay("--offline", "--format", "json", "-o", "r.json", "", archive)
    assert counted(done, tmp_path, 3)["status_events"] == 1
    assert 'could not open archive "": No such file or directory' in done.said


# ---- what cannot be read or written -----------------------------------------------------------

def without_privilege():
    """The words that run a command as a user to whom permissions apply: root without that right."""
    if os.getuid() != 0:
        return []
    setpriv = tool.find("setpriv")
    if not setpriv:
        pytest.skip("permissions do not apply to root, and setpriv is not there")
    return [setpriv, "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]


def run_without_privilege(tmp_path, *arguments):
    command = without_privilege() + [str(tool.BUILD / "replay")] + list(arguments)
    return tool.finish(subprocess.Popen(command, cwd=str(tmp_path), env=tool.environment(tmp_path),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))


def test_what_may_not_be_read_is_named_and_the_rest_is_read(tmp_path):
    for name in "d/good", "d/secret", "d/closed/x":
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        archives.save(tmp_path / name, line(), MTIME)
    (tmp_path / "d/secret").chmod(0)
    (tmp_path / "d/closed").chmod(0)
    done = run_without_privilege(tmp_path, "--offline", "--format", "json", "-o", "r.json", "d")
    (tmp_path / "d/closed").chmod(0o700)
    counts = counted(done, tmp_path, 3)
    assert (counts["archives"], counts["archives_damaged"], counts["status_events"]) == (3, 2, 1)
    assert 'could not open archive "d/secret": Permission denied' in done.said
    assert 'could not read directory "d/closed": Permission denied' in done.said


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_directory_that_may_not_be_written_to_is_named(tmp_path, archive, option):
    (tmp_path / "d").mkdir(mode=0o555)
    done = run_without_privilege(tmp_path, "--offline", option, "d/f", archive)
    assert done.status == 4 and '"d/f": Permission denied' in done.said, done
    assert not list((tmp_path / "d").iterdir())


@pytest.mark.parametrize("option", ["--states-out", "--rejects", "--metrics"])
def test_a_full_device_is_status_4_whatever_is_written_to_it(replay, archive, option):
    done = replay("--offline", option, "/dev/full", archive)
    assert done.status == 4 and '"/dev/full": No space left on device' in done.said, done


def old_and_new(tmp_path, option):
    """A file of an earlier run, and how much room would not be enough to write it again."""
    target = tmp_path / "out" / "f"
    target.parent.mkdir()
    archives.save(tmp_path / "few", line(), MTIME)
    archives.save(tmp_path / "a", many(300) + b"{broken\n" * 300, MTIME)
    assert tool.run("replay", ["--offline", option, target, "few"], tmp_path).status == 0
    return target, target.read_bytes(), 256


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_limit_of_file_sizes_leaves_the_file_before(tmp_path, option):
    target, before, room = old_and_new(tmp_path, option)
    done = tool.run("replay", ["--offline", option, target, "a"], tmp_path,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    assert done.status == 4 and 'could not write' in done.said, done
    assert os.strerror(errno.EFBIG) in done.said
    assert os.listdir(target.parent) == ["f"] and target.read_bytes() == before


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_full_disk_leaves_the_file_before(tmp_path, option):
    target, before, _ = old_and_new(tmp_path, option)
    # in a name space of its own, so that nothing stays mounted whatever happens
    script = ('mount -t tmpfs -o size=8k,nr_inodes=8 tmpfs out || exit 77; printf "%s" "$BEFORE" >out/f;'
              ' head -c 9000 /dev/zero >out/fill 2>/dev/null; "$@"; status=$?; rm out/fill;'
              ' ls -A out; cat out/f; exit $status')
    unshare = tool.find("unshare")
    if not unshare:
        pytest.skip("unshare is not there")
    env = tool.environment(tmp_path, BEFORE=before.decode() if option == "--metrics" else "before")
    done = tool.finish(subprocess.Popen(
        [unshare, "-m", "sh", "-c", script, "sh", str(tool.BUILD / "replay"), "--offline", option,
         "out/f"] + ([] if option == "-o" else ["-o", "r"]) + ["a"], cwd=str(tmp_path), env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    if done.status in (1, 77) and ("unshare" in done.said or "mount" in done.said):
        pytest.skip("a file system cannot be mounted here: " + done.said.strip())
    assert done.status == 4 and os.strerror(errno.ENOSPC) in done.said, done
    assert done.out.decode() == "f\n" + env["BEFORE"]


def test_a_reader_that_goes_away_is_status_4(tmp_path):
    archives.save(tmp_path / "a", many(4000), MTIME)
    run = tool.start("replay", ["--offline", "--states-out", "-", "-o", "r", "a"], tmp_path)
    assert json.loads(run.stdout.readline())["message_id"] == "K000000"
    run.stdout.close()
    assert run.wait(WAIT) == 4
    assert b"could not write to standard output: Broken pipe" in run.stderr.read()
    run.stderr.close()


@pytest.mark.parametrize("mask", [0, 0o777])
def test_the_mask_of_the_caller_opens_no_file_to_others(tmp_path, archive, mask):
    done = tool.run("replay", ["--offline", "-o", "r", "--states-out", "s", "--rejects", "j",
                               "--metrics", "m", archive], tmp_path,
                    preexec_fn=lambda: os.umask(mask))
    assert done.status == 0, done
    for name in "rsj":
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 & ~mask
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o644


# ---- what a process inherits ------------------------------------------------------------------

@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]])
def test_closed_standard_descriptors_get_nobody_elses_bytes(tmp_path, archive, closed):
    def close():
        for fd in closed:
            os.close(fd)
    done = tool.run("replay", ["--offline", "--format", "json", "-o", "r.json", "--states-out", "s",
                               "--rejects", "j", "-v", archive], tmp_path, preexec_fn=close)
    assert counted(done, tmp_path)["status_events"] == 1
    for name in "sj":
        assert len([json.loads(text) for text in (tmp_path / name).read_text().splitlines()]) == 1


@pytest.mark.parametrize("arguments", [["--offline", "a"], ["--help"], ["--version"]])
def test_a_closed_stdout_is_status_4(tmp_path, archive, arguments):
    done = tool.run("replay", arguments, tmp_path, preexec_fn=lambda: os.close(1))
    assert done.status == 4
    assert "could not write to standard output: Bad file descriptor" in done.said


def test_a_closed_stdin_is_an_archive_that_cannot_be_read(tmp_path, archive):
    done = tool.run("replay", ["--offline", "--format", "json", "-o", "r.json", archive, "-"], tmp_path,
                    preexec_fn=lambda: os.close(0))
    assert counted(done, tmp_path, 3)["status_events"] == 1
    assert 'could not read archive "-": Bad file descriptor' in done.said


def test_signals_that_the_caller_ignores_change_nothing(tmp_path, archive):
    def ignore():
        for number in signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)
    done = tool.run("replay", ["--offline", "--states-out", "-", "-o", "r", archive], tmp_path,
                    preexec_fn=ignore, restore_signals=False)
    assert done.status == 0 and json.loads(done.out)["message_id"] == "K"


def test_a_huge_environment_changes_nothing(tmp_path, archive):
    env = tool.environment(tmp_path, **{"FILLER_%d" % n: "x" * 100000 for n in range(10)})
    done = tool.run("replay", ["--offline", "--states-out", "-", "-o", "r", archive], tmp_path, env=env)
    assert done.status == 0 and json.loads(done.out)["message_id"] == "K"


def descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_ten_thousand_archives_need_few_descriptors(tmp_path):
    (tmp_path / "logs").mkdir()
    for n in range(10000):
        (tmp_path / "logs" / ("%05d" % n)).write_bytes(line("K%d" % (n % 100)))
    done = tool.run("replay", ["--offline", "-j4", "--format", "json", "-o", "r.json", "logs"], tmp_path,
                    preexec_fn=descriptors(64))
    counts = counted(done, tmp_path)
    assert (counts["archives"], counts["status_events"]) == (10000, 10000)


@unsanitized
def test_a_want_of_descriptors_ends_the_run_and_leaves_no_archive_out(tmp_path, archive):
    said = ""
    for count in range(4, 20):  # 4: the loader of libraries wants one
        done = tool.run("replay", ["--offline", "-j1", "--rejects", "j", "-o", "r", archive], tmp_path,
                        preexec_fn=descriptors(count))
        assert not hidden(tmp_path)
        if done.status == 0:
            break
        assert done.status == 4 and "Too many open files" in done.said, done
        assert not (tmp_path / "j").exists() and not (tmp_path / "r").exists()
        said += done.said
    assert done.status == 0
    assert 'could not open archive "a": Too many open files' in said


@unsanitized
def test_a_want_of_memory_is_status_4_and_nothing_half_written(tmp_path):
    archives.save(tmp_path / "a", many(40000), MTIME)
    whole = tool.run("replay", ["--offline", "--states-out", "-", "-o", "r", "a"], tmp_path).out
    ends = set()
    for mib in range(24, 160, 4):
        limit = mib * MIB
        done = tool.run("replay", ["--offline", "-j1", "--states-out", "s", "-o", "r", "a"], tmp_path,
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        ends.add(done.status)
        assert done.status in (0, 4, 127), done  # 127: the libraries could not even be loaded
        if done.status == 4:
            assert "out of memory" in done.said or os.strerror(errno.ENOMEM) in done.said, done
            assert not (tmp_path / "s").exists()
        assert not hidden(tmp_path)
        if done.status == 0:
            assert (tmp_path / "s").read_bytes() == whole
            break
    assert {0, 4} <= ends, "some limit was too low for the fold, and some was not"


# ---- zones, locales, clocks -------------------------------------------------------------------

def results(tmp_path, env):
    """Everything a run writes that is to be the same wherever it runs."""
    done = tool.run("replay", ["--offline", "--states-out", "s", "--rejects", "j", "--metrics", "m",
                               "--format", "json", "-o", "r.json", "a"], tmp_path, env=env)
    assert done.status == 0, done
    csv = tool.run("replay", ["--offline", "--format", "csv", "a"], tmp_path, env=env)
    text = tool.run("replay", ["--offline", "a"], tmp_path, env=env)
    report = json.loads((tmp_path / "r.json").read_text())
    del report["run"]
    promtext.parse((tmp_path / "m").read_text())
    (tmp_path / "m").unlink()
    return (report, (tmp_path / "s").read_bytes(), (tmp_path / "j").read_bytes(), csv.out,
            text.out.partition(b"\nInput\n")[2])


@pytest.fixture
def rounding(tmp_path):
    """An archive whose times and numbers have fractions."""
    archives.save(tmp_path / "a", b"".join([
        line(), b'{"ts":1760954400.25,"body":' + line("L").replace(b',"date_time":"2025-10-20T10:00:00Z"',
                                                                 b"").strip() + b"}\n", b"{broken\n",
        worlds.line("i", "M", "READ", "2025-10-20T10:00:00.5Z")]), MTIME)


@pytest.fixture(scope="module")
def portuguese():
    """A directory of locales that has pt_BR.UTF-8, whose numbers have commas."""
    if not tool.find("localedef") or not pathlib.Path("/usr/share/i18n/locales/pt_BR").exists():
        pytest.skip("localedef or the sources of pt_BR are not there")
    directory = tempfile.mkdtemp(prefix="reconcile-locale.")
    subprocess.run([tool.find("localedef"), "-i", "pt_BR", "-f", "UTF-8", directory + "/pt_BR.UTF-8"],
                   check=True, timeout=120, stderr=subprocess.DEVNULL)
    yield directory
    shutil.rmtree(directory)


def test_a_locale_with_decimal_commas_changes_no_number(tmp_path, rounding, portuguese):
    plain = results(tmp_path, tool.environment(tmp_path))
    # glibc's newlocale() keeps its copy of LOCPATH for good; a library of libcurl's calls it
    (tmp_path / "suppressed").write_text("leak:argz_add_sep\n")
    shell = dict(tool.environment(tmp_path), LOCPATH=portuguese, LC_ALL="pt_BR.UTF-8",
                 LSAN_OPTIONS="print_suppressions=0:suppressions=%s" % (tmp_path / "suppressed"))
    printf = subprocess.run(["bash", "-c", "printf %.1f 1,5"], env=shell, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    assert printf.stdout == b"1,5", "the locale is in force"
    assert results(tmp_path, shell) == plain
    assert results(tmp_path, dict(shell, LC_ALL="", LANG="C", LC_NUMERIC="pt_BR.UTF-8")) == plain
    assert results(tmp_path, dict(shell, LC_ALL="xx_YY.nonsense")) == plain


@pytest.mark.parametrize("zone", ["", ":/etc/passwd", "ABC-99:99", "/dev/zero", "America/Sao_Paulo",
                                  "\udcff", "../" * 500, "<+00>-25"])
def test_the_zone_of_the_process_changes_nothing(tmp_path, rounding, zone):
    plain = results(tmp_path, tool.environment(tmp_path))
    assert results(tmp_path, tool.environment(tmp_path, TZ=zone)) == plain


def test_without_a_zone_database_utc_is_read_and_other_zones_are_refused(tmp_path, rounding):
    plain = results(tmp_path, tool.environment(tmp_path))
    env = tool.environment(tmp_path, TZDIR="/nonexistent")
    assert results(tmp_path, env) == plain
    for option in "--app-zone", "--date-time-zone":
        done = tool.run("replay", ["--offline", option, "America/Sao_Paulo", "a"], tmp_path, env=env)
        assert done.status == 2 and len(done.lines) == 1, done
        assert option in done.said and '"/nonexistent"' in done.said


BACKWARDS = """
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Each look at the time of day finds it an hour before the last. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    static atomic_int looks;
    int status = (int)syscall(SYS_clock_gettime, id, t);

    if (status == 0 && id == CLOCK_REALTIME)
        t->tv_sec = 1767225600 - 3600 * atomic_fetch_add(&looks, 1);
    return status;
}
"""


@unsanitized
def test_a_clock_that_goes_backwards_breaks_nothing(tmp_path, rounding):
    (tmp_path / "clock.c").write_text(BACKWARDS)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", "clock.so", "clock.c"],
                   cwd=str(tmp_path), check=True, timeout=60)
    env = tool.environment(tmp_path, LD_PRELOAD=str(tmp_path / "clock.so"))
    done = tool.run("replay", ["--offline", "--metrics", "m", "--format", "json", "-o", "r.json",
                               "--progress", "always", "a"], tmp_path, env=env)
    assert done.status == 0, done
    run = json.loads((tmp_path / "r.json").read_text())["run"]
    assert run["finished_at"] < run["started_at"], "the clock did go backwards"
    metrics = promtext.Metrics(tmp_path / "m", "replay")
    assert 0 <= metrics("last_run_duration_seconds") < WAIT
    del env["LD_PRELOAD"]
    assert results(tmp_path, env)[1]


# ---- bombs ------------------------------------------------------------------------------------

def peak_of(tmp_path, *arguments):
    """A run's peak memory in bytes, and the input of its report."""
    measure, prefix = tool.measured("replay", tmp_path / "measured")
    done = tool.run(measure, prefix + ["--offline", "-q", "--format", "json", "-o", "r.json"]
                    + list(arguments), tmp_path)
    assert done.status == 0, done
    return tool.peak(tmp_path / "measured"), json.loads((tmp_path / "r.json").read_text())["input"]


@unsanitized
@pytest.mark.parametrize("head", [b"", b'{"messages.update":"'], ids=["zeros", "a text"])
def test_a_gzip_bomb_costs_time_and_no_memory(tmp_path, head):
    with gzip.open(tmp_path / "bomb.gz", "wb", 9) as out:
        out.write(head)
        for _ in range(100):
            out.write(b"\0" * MIB if not head else b"x" * MIB)
        out.write(b"\n" + line())
    stored = (tmp_path / "bomb.gz").stat().st_size
    used, counts = peak_of(tmp_path, "--max-record", "1M", "bomb.gz")
    assert counts["bytes"] > 900 * stored, "it is a bomb"
    assert counts["status_events"] == 1 and counts["too_large"] + counts["invalid_json"] == 1
    assert used < 64 * MIB


def test_what_is_gzip_inside_gzip_is_not_inflated_again(replay, tmp_path):
    data = line() * 1000
    for _ in range(3):
        data = gzip.compress(data, mtime=0)
    archives.save(tmp_path / "a", gzip.compress(data, mtime=0) + gzip.compress(b"\n" + line()), MTIME)
    counts = counted(replay("--offline", "--format", "json", "-o", "r.json", "a"), tmp_path)
    assert counts["bytes"] < 2000 and counts["status_events"] == 1 and counts["invalid_json"] >= 1


def test_ten_thousand_empty_members_are_nothing(replay, tmp_path):
    empty = gzip.compress(b"", mtime=0)
    archives.save(tmp_path / "a", empty * 5000 + gzip.compress(line(), mtime=0) + empty * 5000, MTIME)
    counts = counted(replay("--offline", "--format", "json", "-o", "r.json", "a"), tmp_path)
    assert counts["records"] == counts["status_events"] == 1 and counts["archives_damaged"] == 0


@heavy
@unsanitized
@pytest.mark.parametrize("head", [b"", b'{"messages.update":"'], ids=["unread", "a text"])
def test_ten_gigabytes_of_one_line_take_no_memory(tmp_path, head):
    measure, prefix = tool.measured("replay", tmp_path / "measured")
    run = tool.start(measure, prefix + ["--offline", "-q", "--format", "json", "-o", "r.json",
                                        "--max-record", "1M", "-"], tmp_path, stdin=subprocess.PIPE)
    piece = b"x" * MIB
    run.stdin.write(head)
    for _ in range(10 * 1024):
        run.stdin.write(piece)
    run.stdin.write(b"\n" + line())
    run.stdin.close()
    assert run.wait(600) == 0
    run.stdout.close()
    run.stderr.close()
    counts = json.loads((tmp_path / "r.json").read_text())["input"]
    assert counts["bytes"] > 10 << 30 and counts["status_events"] == 1
    assert tool.peak(tmp_path / "measured") < 64 * MIB


@heavy
@unsanitized
def test_a_bomb_of_ten_gigabytes_takes_no_memory(tmp_path):
    member = gzip.compress(b"\n" * (64 * MIB), mtime=0)
    archives.save(tmp_path / "a", member * 160 + gzip.compress(line(), mtime=0), MTIME)
    used, counts = peak_of(tmp_path, "a")
    assert counts["bytes"] > 10 << 30 and counts["status_events"] == 1
    assert used < 64 * MIB
