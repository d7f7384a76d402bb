"""Memory does not grow with the size of an archive, of a record."""

import json
import os
import subprocess

import pytest

import tool
import world as worlds

# sanitizers have memory of their own
pytestmark = pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                                reason="memory is measured without sanitizers")

MIB = 1 << 20
LINE = b'{"event":"messages.upsert","instance":"i","data":{"message":{"base64":"%s"}}}\n'
WANTED = worlds.line("i", "K", "READ", "2025-10-20T10:00:00Z")


def peak(tmp_path, arguments, chunks):
    """Peak memory in bytes of replay reading chunks on stdin, and its report's input."""
    measure, prefix = tool.measured("replay", tmp_path / "measured")
    run = tool.start(measure, prefix + ["--offline", "--format", "json", "-o", "r.json"] + arguments
                     + ["-"], tmp_path, stdin=subprocess.PIPE)
    for chunk in chunks:
        run.stdin.write(chunk)
    run.stdin.close()
    errors = run.stderr.read()
    run.stdout.close()
    run.stderr.close()
    assert run.wait() == 0, errors
    counts = json.loads((tmp_path / "r.json").read_text())["input"]
    return tool.peak(tmp_path / "measured"), counts


def huge_record(size):
    yield LINE[:LINE.index(b"%s")]
    for _ in range(size // MIB):
        yield b"QUJD" * (MIB // 4)
    yield b'"}}}\n' + WANTED


@pytest.mark.parametrize("head", [b"", b'{"messages.update":'])
def test_a_record_beyond_the_limit_is_not_held(tmp_path, head):
    def chunks():
        yield head
        yield from huge_record(150 * MIB)
    used, counts = peak(tmp_path, ["--max-record", "1M"], chunks())
    assert counts["too_large"] == 1 and counts["status_events"] == 1
    assert used < 64 * MIB


def test_a_long_archive_is_streamed(tmp_path):
    noise = LINE % (b"QUJD" * 25000)
    used, counts = peak(tmp_path, [], [noise] * 2000 + [WANTED])
    assert counts["records"] == 2001 and counts["bytes"] > 190 * MIB
    assert used < 64 * MIB
