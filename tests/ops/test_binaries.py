"""How the programs are linked: what makes an error in them hard to use is there."""

import os
import re
import subprocess

import pytest

import tool

PROGRAMS = ["replay", "reconcile"]
SANITIZED = bool(os.environ.get("SANITIZE"))


def readelf(what, path):
    """What readelf tells of a file."""
    done = subprocess.run([tool.program("readelf"), "-W", what, str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, LC_ALL="C"))
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def symbols(path):
    return set(re.findall(r"UND (\w+)", readelf("--dyn-syms", path)))


def segments(path):
    """type -> flags, of the program headers."""
    return {kind: flags.replace(" ", "") for kind, flags in
            re.findall(r"^ +(\w+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3})", readelf("-l", path), re.MULTILINE)}


@pytest.fixture(params=PROGRAMS)
def path(request):
    return tool.BUILD / request.param


def test_they_are_loaded_anywhere_and_bound_before_they_begin(path):
    dynamic = readelf("-d", path)
    assert re.search(r"Type: +DYN ", readelf("-h", path))
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic)
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic) and "BIND_NOW" in dynamic
    assert "GNU_RELRO" in segments(path), "with BIND_NOW: all of the table of functions is read-only"


def test_no_code_can_be_written_and_no_data_run(path):
    for kind, flags in segments(path).items():
        assert not ("W" in flags and "E" in flags), kind
    assert segments(path)["GNU_STACK"] == "RW"
    assert "TEXTREL" not in readelf("-d", path)


def test_libraries_are_looked_for_where_the_system_has_them(path):
    assert not re.search("RPATH|RUNPATH", readelf("-d", path))


def test_the_stack_is_guarded(path):
    assert "__stack_chk_fail" in symbols(path)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer checks the same, in its own way")
def test_sizes_are_checked_where_the_compiler_knows_them(path):
    if "-O0" in (tool.BUILD / "flags").read_text():
        pytest.skip("it takes optimisation")
    assert {"__snprintf_chk", "__vsnprintf_chk"} <= symbols(path)


def compiler():
    return (tool.BUILD / "flags").read_text().split()[0]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="this is of x86")
def test_branches_land_where_they_are_meant_to(path):
    """Every object is marked; the program is where the start-up code of the C library is, too."""
    if "-fcf-protection" not in (tool.BUILD / "flags").read_text():
        pytest.skip("the compiler does not know of it")
    objects = sorted((tool.BUILD / "lib").glob("*.o"))
    assert objects
    for name in objects + sorted((tool.BUILD / "gen").glob("*.o")) + [
            tool.BUILD / "main" / (path.name + ".o")]:
        assert "IBT, SHSTK" in readelf("-n", name), name
    start = subprocess.run([compiler(), "-print-file-name=Scrt1.o"], stdout=subprocess.PIPE,
                           check=True, timeout=60).stdout.decode().strip()
    marked = "IBT, SHSTK" in readelf("-n", start)
    assert ("IBT, SHSTK" in readelf("-n", path)) == marked or SANITIZED


def test_nothing_of_the_machine_that_built_them_is_in_them(path):
    content = path.read_bytes()
    assert str(tool.BUILD.resolve()).encode() not in content
    assert str(tool.ROOT).encode() not in content
