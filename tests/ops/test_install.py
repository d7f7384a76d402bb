"""What is installed, packed and packaged is all there, runs, and goes again."""

import hashlib
import os
import re
import stat
import subprocess
import tarfile

import pytest

import tool

VERSION = re.search("^VERSION := (.*)$", (tool.ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
UNITS = ["reconcile-%s.%s" % (run, kind) for run in ("audit", "poll", "replay")
         for kind in ("service", "timer")] + ["reconcile-.service.d/10-common.conf"]
DOCS = [str(p.relative_to(tool.ROOT)) for kind in ("md", "sql", "yml")
        for p in tool.ROOT.glob("docs/*." + kind)] + [
    p.name for p in tool.ROOT.glob("*.md")]
EXAMPLES = ["crontab", "reconcile.default", "reconcile.sysusers", "reconcile.tmpfiles",
            "webhook-capture.logrotate", "webhook-capture.tmpfiles",
            "nginx/webhook-capture.conf", "nginx/webhook-capture-location.conf"]


def programs(prefix):
    return {prefix + "/bin/replay", prefix + "/bin/reconcile"}


def installed_by_make(prefix):
    share = prefix + "/share"
    return programs(prefix) | {
        share + "/man/man1/replay.1", share + "/man/man1/reconcile.1",
        share + "/man/man5/reconcile-formats.5",
        share + "/bash-completion/completions/replay",
        share + "/bash-completion/completions/reconcile",
        share + "/zsh/site-functions/_replay", share + "/zsh/site-functions/_reconcile",
        share + "/doc/reconcile/LICENSE",
    } | {share + "/doc/reconcile/" + name for name in DOCS} | {
        share + "/doc/reconcile/examples/" + name
        for name in EXAMPLES + ["systemd/" + unit for unit in UNITS]}


def of_the_system(prefix, units):
    return {units + "/" + unit for unit in UNITS} | {
        prefix + "/lib/sysusers.d/reconcile.conf", prefix + "/lib/tmpfiles.d/reconcile.conf",
        "/etc/default/reconcile", "/etc/cron.d/reconcile"}


def files(root):
    return {"/" + str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()}


def run(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
    return done.stdout.decode()


def test_everything_is_installed_and_goes_again(tmp_path):
    tool.make("install", "DESTDIR=%s" % tmp_path)
    assert files(tmp_path) == installed_by_make("/usr/local")
    for path in files(tmp_path):
        mode = stat.S_IMODE(os.stat(str(tmp_path) + path).st_mode)
        assert mode == (0o755 if path in programs("/usr/local") else 0o644), path
    tool.make("uninstall", "DESTDIR=%s" % tmp_path)
    assert files(tmp_path) == set()


def test_install_system_puts_units_where_systemd_looks_and_settings_stay(tmp_path):
    where = ("DESTDIR=%s" % tmp_path, "PREFIX=/opt/rec", "SYSCONFDIR=/etc")
    tool.make("install", "install-system", *where)
    assert files(tmp_path) == installed_by_make("/opt/rec") | of_the_system(
        "/opt/rec", "/opt/rec/lib/systemd/system")
    for base in "lib/systemd/system", "share/doc/reconcile/examples/systemd":
        for unit in UNITS:
            text = (tmp_path / "opt/rec" / base / unit).read_text()
            assert "/usr/bin" not in text
            assert ("ExecStart=/opt/rec/bin/" in text) == (unit.endswith(".service"))
    cron = (tmp_path / "etc/cron.d/reconcile").read_text()
    assert "PATH=/opt/rec/bin:" in cron
    assert not re.search(r"^[\d*]", cron, re.MULTILINE), "nothing runs before it is enabled"
    assert len(re.findall(r"^#\d+ \d+ ", cron, re.MULTILINE)) == 3
    tool.make("uninstall", *where)
    assert files(tmp_path) == {"/etc/default/reconcile", "/etc/cron.d/reconcile"}


def test_what_is_installed_runs(tmp_path):
    tool.make("install", "DESTDIR=%s" % tmp_path, "PREFIX=/usr")
    for program in "replay", "reconcile":
        assert run(tmp_path / "usr/bin" / program, "--version").startswith(
            "%s %s\n" % (program, VERSION))
    (tmp_path / "a").write_text('{"event":"messages.update","instance":"i",'
                                '"data":{"keyId":"K","status":"READ"}}\n')
    assert "status events" in run(tmp_path / "usr/bin/replay", "--offline", tmp_path / "a")
    for page in (tmp_path / "usr/share/man").glob("man*/*"):
        assert page.name.split(".")[0].upper() in run(tool.program("mandoc"), page)


def tracked():
    if not (tool.ROOT / ".git").exists():
        pytest.skip("this is no git work tree")
    return run("git", "-C", tool.ROOT, "ls-tree", "-r", "--name-only", "HEAD").splitlines()


def test_dist_has_the_sources_and_the_same_bytes_each_time():
    names = tracked()
    path = tool.BUILD / ("reconcile-%s.tar.gz" % VERSION)

    def made(umask):
        before = os.umask(umask)
        try:
            tool.make("dist")
        finally:
            os.umask(before)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert made(0o022) == made(0o077)
    with tarfile.open(path) as tar:
        packed = [m.name for m in tar.getmembers() if not m.isdir()]
    top = "reconcile-%s/" % VERSION
    assert sorted(packed) == sorted(top + name for name in names)


@pytest.fixture(scope="module")
def package():
    """The Debian package, which takes a build of its own."""
    tool.program("dh")
    # without optimisation, which takes half of the time and changes nothing that is asked here
    return tool.ROOT / tool.make("deb", "DEB_BUILD_OPTIONS=noopt").splitlines()[-1]


def test_the_package_has_everything_in_debians_places(package, tmp_path):
    run("dpkg-deb", "-x", package, tmp_path)
    doc = "/usr/share/doc/reconcile/"
    expected = installed_by_make("/usr") | of_the_system("/usr", "/lib/systemd/system") | {
        doc + "copyright", doc + "changelog.gz"}
    expected = {re.sub(r"(/man/.*)", r"\1.gz", path).replace("site-functions", "vendor-completions")
                for path in expected} - {doc + "LICENSE"}
    assert files(tmp_path) == expected
    assert run(tmp_path / "usr/bin/replay", "--version").startswith("replay %s\n" % VERSION)


def test_the_package_depends_on_what_the_programs_link(package):
    control = dict(re.findall("^ ?([A-Za-z-]+): (.*)$", run("dpkg-deb", "-f", package), re.MULTILINE))
    assert control["Version"] == VERSION, "debian/changelog and the Makefile agree"
    depends = set(re.findall(r"(?:^|, )([a-z0-9.+-]+)", control["Depends"]))
    assert {"tzdata", "libc6", "zlib1g"} <= depends
    for library in "libcurl", "libjansson", "libpq":
        assert any(d.startswith(library) for d in depends), depends


def test_the_package_enables_nothing_and_keeps_settings(package, tmp_path):
    run("dpkg-deb", "-e", package, tmp_path)
    assert (tmp_path / "conffiles").read_text().split() == [
        "/etc/cron.d/reconcile", "/etc/default/reconcile"]
    postinst = (tmp_path / "postinst").read_text()
    assert "systemd-sysusers" in postinst and "systemd-tmpfiles" in postinst
    assert postinst.index("systemd-sysusers") < postinst.index("systemd-tmpfiles")
    assert "start" not in re.sub("#.*", "", postinst)
    for enabled in re.findall(r"(.*)deb-systemd-helper enable", postinst):
        assert enabled.strip() == ""
    assert postinst.count("deb-systemd-helper enable") == postinst.count("was-enabled")


def purge(script, root, action="purge"):
    """What the script says on stderr; DPKG_ROOT keeps it from the machine's own files."""
    done = subprocess.run(["sh", str(script), action], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60,
                          env=dict(os.environ, DPKG_ROOT=str(root)))
    assert (done.returncode, done.stdout) == (0, b""), done
    return done.stderr.decode()


@pytest.fixture
def used(tmp_path):
    """A root directory in which the package was used."""
    for name in ("etc/reconcile/api-key", "var/lib/reconcile/last-poll.txt",
                 "var/lib/reconcile/last-audit.txt", "var/lib/reconcile/last-replay.txt",
                 "var/lib/reconcile/journal-20261122T231226216Z-207721e1.jsonl.gz"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "root"


POSTRM = tool.ROOT / "debian" / "reconcile.postrm"


def test_purging_keeps_journals_and_keys_and_says_so(used):
    said = purge(POSTRM, used)
    assert files(used) == {"/etc/reconcile/api-key", "/var/lib/reconcile/"
                           "journal-20261122T231226216Z-207721e1.jsonl.gz"}
    assert said.splitlines() == ["reconcile: %s/%s is not empty and is kept" % (used, d)
                                 for d in ("var/lib/reconcile", "etc/reconcile")]
    for kept in "api-key", "journal*":
        for path in used.rglob(kept):
            path.unlink()
    assert purge(POSTRM, used) == ""
    assert not (used / "etc/reconcile").exists() and not (used / "var/lib/reconcile").exists()
    assert purge(POSTRM, used) == "", "and nothing is there any more"


@pytest.mark.parametrize("action", ["remove", "upgrade", "abort-install", "disappear"])
def test_nothing_but_purging_takes_anything_away(used, action):
    before = files(used)
    assert purge(POSTRM, used, action) == "" and files(used) == before


def test_the_package_purges_as_its_source_says(package, tmp_path):
    run("dpkg-deb", "-e", package, tmp_path)
    ours = POSTRM.read_text().replace("#DEBHELPER#\n", "")
    assert (tmp_path / "postrm").read_text().startswith(ours)
    assert stat.S_IMODE((tmp_path / "postrm").stat().st_mode) == 0o755


def test_lintian_finds_nothing(package):
    lintian = tool.find("lintian")
    if not lintian:
        pytest.skip("lintian is not installed")
    done = subprocess.run([lintian, "--fail-on", "error,warning", str(package)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
    assert (done.returncode, done.stdout.decode()) == (0, "")
