"""What a run reaches: only the files, and only the hosts, that it was asked to reach."""

import os
import re
import subprocess

import pytest

import archives
import tool
import world as worlds
from test_poll import Shop, polls  # noqa: F401
from test_actions import ten  # noqa: F401
from runs import OPEN

pytestmark = pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                                reason="a sanitizer reads about itself, and starts others")

# Of the machine: libraries, zones, locales, names of users and hosts, settings of libraries, the
# processors.
SYSTEM = re.compile(r"/(lib|lib64|usr/lib|usr/local/lib|usr/share/zoneinfo|usr/share/locale|proc|sys)/|"
                    r"/etc/(ld\.so|localtime|locale|passwd|group|nsswitch|host|gai|resolv|services|ssl|"
                    r"pki|crypto-policies|krb5)|/usr/share/(ca-certificates|zoneinfo)|"
                    r"/dev/(null|urandom|random)$|%s/" % re.escape(str(tool.BUILD.resolve())))
CALLS = ("open,openat,openat2,creat,connect,bind,socket,execve,fork,vfork,rename,renameat,renameat2,"
         "unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmodat,truncate,mknod,"
         "mknodat,chown,fchownat,lchown,utimensat")
OPENED = re.compile(r"^(?:open|openat|openat2|creat)\((?P<given>.*)\) = \d+<(?P<path>.*)>$")
CHANGES = re.compile(r"^(rename|unlink|mkdir|link|symlink|chmod|fchmodat|truncate|mknod|chown|fchown|lchown|"
                     r"utimens)")


class Reach:
    """What a run under strace opened, wrote, changed and connected to. Failed calls aside."""

    def __init__(self, text):
        self.read, self.written, self.changed = set(), set(), []
        self.connected, self.sockets, self.started = set(), [], []
        for call in re.sub(r"^\d+ +", "", text, flags=re.MULTILINE).splitlines():
            opened = OPENED.match(call)
            if opened:
                self.see(opened["path"].replace("(deleted)", ""), opened["given"])
            elif call.startswith("connect("):
                self.connected.add(self.address(call))
            elif call.startswith(("socket(", "bind(")):
                self.sockets.append(call)
            elif call.startswith(("execve(", "fork(", "vfork(")):
                self.started.append(call)
            elif CHANGES.match(call) and " = 0" in call:
                self.changed.append(call)

    def see(self, path, given):
        if re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", given):
            self.written.add(path)
        elif "O_PATH" not in given and not SYSTEM.match(path):  # through O_PATH nothing is read
            self.read.add(path)

    @staticmethod
    def address(call):
        unix = re.search(r'sun_path=@?"([^"]*)"', call)
        inet = re.search(r'sin6?_port=htons\((\d+)\).*?"([0-9a-f.:]+)"', call)
        return unix[1] if unix else "%s:%s" % (inet[2], inet[1]) if inet else call


def traced(program, arguments, cwd, env):
    """A run under strace, and what it reached."""
    strace = tool.find("strace")
    if not strace:
        pytest.skip("strace is not there")
    log = cwd / "strace.log"
    command = [strace, "-f", "-qq", "-y", "-s", "4096", "-o", str(log), "-e", "trace=" + CALLS,
               str(tool.BUILD / program)] + [str(a) for a in arguments]
    done = tool.finish(subprocess.Popen(command, cwd=str(cwd), env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    text = log.read_text() if log.exists() else ""
    if "ptrace" in done.said or "execve" not in text:
        pytest.skip("nothing can be traced here: " + done.said[:200])
    log.unlink()
    return done, Reach(text)


def temporary(directory, *names):
    """What matches the paths of outputs as they are written."""
    return re.compile("%s/(%s)" % (re.escape(str(directory)), "|".join(
        r"\.%s\.[0-9a-f]{8}" % re.escape(name) for name in names)))


def test_an_offline_run_reads_its_archives_and_reaches_nobody(tmp_path):
    (tmp_path / "logs").mkdir()
    for name in "logs/a", "logs/b", "other":
        archives.save(tmp_path / name, worlds.line("i", name, "READ", "2025-10-20T10:00:00Z"), 1760900000)
    done, reach = traced("replay", ["--offline", "-j2", "--app-zone", "America/Sao_Paulo", "--states-out",
                                    "s", "-o", "r", "--metrics", "m", "logs"], tmp_path,
                         tool.environment(tmp_path, PGHOST="127.0.0.1", PGSERVICE="x"))
    assert done.status == 0, done
    assert reach.sockets == [] and reach.connected == set() and len(reach.started) == 1
    logs = str(tmp_path / "logs")
    assert reach.read - {str(tmp_path)} == {logs, logs + "/a", logs + "/b"}
    assert len(reach.written) == 3
    assert all(temporary(tmp_path, "s", "r", "m").fullmatch(path) for path in reach.written), reach.written
    assert len(reach.changed) == 3 and all(c.startswith("rename") for c in reach.changed)
    assert not (tmp_path / "state").exists()


def test_a_dry_run_reaches_its_server_and_writes_what_it_was_asked_for(ten, tmp_path):
    before = ten.dump()
    done, reach = traced("replay", ["-d", ten.conninfo("postgres"), *OPEN, "-o", "r", "--plan-out", "p",
                                    "a"], tmp_path, tool.environment(tmp_path))
    assert done.status == 1, done
    assert ten.dump() == before
    assert len(reach.started) == 1
    assert reach.connected and all(".s.PGSQL." in address for address in reach.connected)
    assert reach.read - {str(tmp_path)} == {str(tmp_path / "a")}
    assert len(reach.written) == 2
    assert all(temporary(tmp_path, "r", "p").fullmatch(path) for path in reach.written), reach.written
    assert len(reach.changed) == 2 and all(c.startswith("rename") for c in reach.changed)
    assert not (tmp_path / "state").exists()


def test_a_poll_reaches_its_server_and_its_gateway_alone(server, polls, tmp_path):
    shop = Shop()
    instance = shop.instance("loja")
    campaign = shop.campaign(instances=[instance])
    shop.sell(campaign, instance, "loja", 20)
    db = shop.create(server)
    here = polls.serve(shop)
    done, reach = traced("reconcile", ["poll", "-d", db.conninfo("postgres"), "-o", "r"], tmp_path,
                         polls.environment())
    assert done.status == 1, done
    assert len(reach.started) == 1
    others = {a for a in reach.connected if ".s.PGSQL." not in a}
    assert others == {"127.0.0.1:%d" % here.port}
    assert reach.read - {str(tmp_path)} == set()
    assert all(temporary(tmp_path, "r").fullmatch(path) for path in reach.written), reach.written
    assert len(reach.changed) == 1 and reach.changed[0].startswith("rename")
