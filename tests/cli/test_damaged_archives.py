"""Gzip members, padding, cuts and corruption; what cannot be read; where names come from."""

import gzip
import json
import os
import random
import time

import pytest

import archives
from oracle import archive as oracle_archive
from oracle import events, fold

MTIME = 1760900000
LINES = b"".join(
    b'{"event":"messages.update","instance":"i","data":{"keyId":"K%05d","status":"READ"},'
    b'"date_time":"2025-10-20T10:%02d:%02dZ"}\n' % (n, n // 60 % 60, n % 60) for n in range(400))


def states_of(data, name):
    states = fold.States()
    fold.fold_bytes(states, events.Counts(), data, name, MTIME * 1000000, events.Options())
    return fold.lines(states).encode()


@pytest.fixture
def read(replay, tmp_path):
    """Folds one archive's bytes: (run, states bytes, report's input)."""
    def run(raw, mtime=MTIME, name="a.gz"):
        archives.save(tmp_path / name, raw, mtime)
        done = replay("--offline", "--states-out", "-", "--format", "json", "-o", "r.json", name)
        return done, done.out, json.loads((tmp_path / "r.json").read_text())["input"]
    return run


def test_many_members_read_as_one(read):
    rng = random.Random("members")
    done, states, counts = read(archives.pack(LINES, 9, rng))
    assert done.status == 0
    assert states == states_of(LINES, "a.gz")
    assert counts["archives_damaged"] == 0


@pytest.mark.parametrize("after", ["end", "next member"])
def test_zero_padding_after_a_member_is_ignored(read, after):
    raw = gzip.compress(LINES[:4000], mtime=0) + b"\0" * 1000
    expected = LINES[:4000]
    if after == "next member":
        raw += gzip.compress(LINES[4000:], mtime=0)
        expected = LINES
    done, states, counts = read(raw)
    assert done.status == 0 and counts["archives_damaged"] == 0
    assert states == states_of(expected, "a.gz")


def test_header_fields_of_a_member_are_skipped(read):
    member = gzip.compress(LINES, mtime=0)
    header = member[:3] + bytes([4 | 8 | 16]) + member[4:10]
    header += b"\x05\x00extra" + b"name.jsonl\0" + b"a comment\0"
    done, states, _ = read(header + member[10:])
    assert done.status == 0
    assert states == states_of(LINES, "a.gz")


def test_every_byte_before_a_cut_is_kept(read):
    raw = archives.pack(LINES, 3, random.Random("cut"))
    rng = random.Random("cuts")
    for cut in [2, 5, 9, 10, 11] + [rng.randrange(12, len(raw)) for _ in range(12)] + [len(raw) - 1]:
        found = oracle_archive.contents(raw[:cut])
        done, states, counts = read(raw[:cut])
        damaged = found.damage is not None
        assert counts["archives_damaged"] == damaged, "cut at byte %d" % cut
        assert states == states_of(found.data, "a.gz"), "cut at byte %d" % cut
        assert done.status == (3 if damaged else 0)
        if damaged:
            assert "a.gz" in done.said


def test_a_file_still_being_written_is_growing_not_damaged(read):
    raw = gzip.compress(LINES, mtime=0)[:2000]
    done, states, counts = read(raw, mtime=int(time.time()) - 60)
    assert done.status == 0
    assert (counts["archives_damaged"], counts["archives_growing"]) == (0, 1)
    assert states
    done, _, counts = read(raw, mtime=int(time.time()) - 11 * 60)
    assert done.status == 3
    assert (counts["archives_damaged"], counts["archives_growing"]) == (1, 0)


def test_corruption_keeps_what_was_inflated_before(read):
    first, second = (gzip.compress(part, mtime=0) for part in (LINES[:20000], LINES[20000:]))
    kept = states_of(LINES[:20000], "a.gz")
    broken = {
        "bad checksum": first[:-8] + b"\1\2\3\4" + first[-4:] + second,
        "bad length": first[:-1] + b"\x7f" + second,
        "garbage after a member": first + b"garbage" + second,
        "impossible deflate data": first + second[:10] + b"\xff\xff\xff\xff" + second[14:],
        "no such method": first + b"\x1f\x8b\x07" + second[3:],
    }
    for what, raw in broken.items():
        done, states, counts = read(raw)
        assert done.status == 3, what
        assert counts["archives_damaged"] == 1, what
        assert states == kept, what
        assert "a.gz" in done.said, what


def test_a_flipped_bit_is_noticed_and_takes_nothing_before_it(read):
    raw = gzip.compress(LINES, mtime=0)
    whole = states_of(LINES, "a.gz").splitlines()
    rng = random.Random("flip")
    for _ in range(12):
        at = rng.randrange(10, len(raw))
        flipped = raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:]
        done, states, counts = read(flipped)
        assert done.status == 3, "bit flipped at byte %d" % at
        assert counts["archives_damaged"] == 1
        before = oracle_archive.contents(raw[:at]).data
        sound = states_of(before[:before.rfind(b"\n") + 1], "a.gz").splitlines()
        assert set(sound) <= set(states.splitlines())
        assert sound == whole[:len(sound)]


def test_plain_text_named_gz_is_plain(read):
    done, states, _ = read(LINES)
    assert done.status == 0
    assert states == states_of(LINES, "a.gz")


def test_missing_and_unreadable_archives_leave_the_others_done(replay, tmp_path):
    archives.save(tmp_path / "good", LINES, MTIME)
    os.symlink("loop", tmp_path / "loop")
    done = replay("--offline", "--states-out", "-", "--format", "json", "-o", "r.json",
                  "gone.gz", "good", "loop")
    assert done.status == 3
    assert done.out == states_of(LINES, "good")
    assert json.loads((tmp_path / "r.json").read_text())["input"]["archives_damaged"] == 2
    gone = [line for line in done.lines if "gone.gz" in line]
    assert gone and "No such file or directory" in gone[0]


def test_stdin_is_an_archive_named_dash(replay, tmp_path):
    undated = b'{"event":"messages.update","instance":"i","data":{"keyId":"N","status":"READ"}}\n'
    before = time.time()
    done = replay("--offline", "--states-out", "-", "-o", "r", "-",
                  stdin=gzip.compress(LINES + undated))
    assert done.status == 0, done
    dated = [line for line in done.out.splitlines(True) if b'"message_id":"N"' not in line]
    assert b"".join(dated) == states_of(LINES, "-")
    state = next(json.loads(line) for line in done.out.splitlines() if b'"message_id":"N"' in line)
    assert state["approximate"] == ["read"] and state["evidence"] == {"read": ["-", 401]}
    stamp = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(before))
    later = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
    assert state["read_at"][:16] in (stamp, later)


@pytest.mark.parametrize("given", ["logs", "logs/", "./logs"])
def test_a_directory_stands_for_the_files_below_it(replay, tmp_path, given):
    lines = LINES.splitlines(True)
    for number, name in enumerate(["b.jsonl", "a/z.jsonl", "a.jsonl", "a-b/c", "A"]):
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        archives.save(path, lines[number], MTIME)
    archives.save(tmp_path / "outside", lines[10], MTIME)
    os.symlink(tmp_path / "outside", tmp_path / "logs" / "link")
    os.symlink(tmp_path, tmp_path / "logs" / "linked-directory")
    done = replay("--offline", "--states-out", "-", "--format", "json", "-o", "r.json", given)
    assert done.status == 0, done
    places = [json.loads(line)["evidence"]["read"][0] for line in done.out.splitlines()]
    root = given.rstrip("/")
    assert places == [root + "/" + name for name in ["b.jsonl", "a/z.jsonl", "a.jsonl", "a-b/c", "A"]]
    assert json.loads((tmp_path / "r.json").read_text())["input"]["archives"] == 5


def test_the_same_event_in_two_files_is_credited_to_the_first_name(replay, tmp_path):
    for name in ("b", "a", "a.1"):
        archives.save(tmp_path / name, LINES[:2000], MTIME)
    done = replay("--offline", "--states-out", "-", "-o", "r", "b", "a.1", "a")
    places = {json.loads(line)["evidence"]["read"][0] for line in done.out.splitlines()}
    assert places == {"a"}
