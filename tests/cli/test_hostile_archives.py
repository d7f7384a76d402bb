"""Random archives, whole and broken, read as the oracle reads them."""

import json
import random

import pytest

import archives
from oracle import events, fold, records

START = 1760900000
SPAN = 3 * 86400
INSTANCES = ["i", "Loja", " Loja ", "tenant_1_inst_1", "", "\u00c9vora"]
IDS = ["3EB0%04X" % n for n in range(40)]
COUNTS = [name for name in events.Counts.NAMES if name != "archives_damaged"]


def good_records(rng, count=60):
    made = [archives.event_record(rng, INSTANCES, IDS, START, SPAN) for _ in range(count)]
    made += [archives.noise_record(rng) for _ in range(count // 3)]
    return [archives.dump(value, rng).encode() for value in made]


def compare(replay, directory, names, arguments=(), options=None, max_record=records.DEFAULT_MAX):
    """None, or how replay and the oracle differ over archives in a directory."""
    done = replay("--offline", "--states-out", "-", "--format", "json", "-o", "report.json",
                  *arguments, *names, cwd=directory)
    if done.status != 0:
        return "status %d: %s" % (done.status, done.said[-500:])
    report = json.loads((directory / "report.json").read_text())
    cwd_names = [str(directory / name) for name in names]
    states, counts = fold.fold(cwd_names, options, max_record)
    prefix = str(directory) + "/"
    expected = fold.lines(states).replace(prefix, "").encode()
    got = {name: report["input"][name] for name in COUNTS}
    want = {name: counts[name] for name in COUNTS}
    if got != want:
        return "counts %r, expected %r" % (got, want)
    if done.out != expected:
        ours, theirs = set(done.out.splitlines()), set(expected.splitlines())
        return "states %r, expected %r" % (sorted(ours - theirs)[:3], sorted(theirs - ours)[:3])
    raw = {k: v for k, v in report["input"]["raw_statuses"].items()}
    if raw != counts.raw_statuses:
        return "raw statuses %r, expected %r" % (raw, counts.raw_statuses)
    return None


def check(replay, directory, contents, **how):
    """Compares all archives in one run, and names the first that differs if they do."""
    names = []
    for number, data in enumerate(contents):
        names.append("a-%03d" % number)
        archives.save(directory / names[-1], data, START + number)
    trouble = compare(replay, directory, names, **how)
    if trouble is not None:
        for name in names:
            alone = compare(replay, directory, [name], **how)
            assert alone is None, "%s\nin %r" % (alone, (directory / name).read_bytes())
        pytest.fail("together only: " + trouble)


@pytest.mark.parametrize("seed", range(6))
def test_broken_lines_never_take_a_good_one_with_them(replay, tmp_path, seed):
    rng = random.Random("broken %d" % seed)
    good = good_records(rng)
    check(replay, tmp_path, [archives.hostile(rng, good) for _ in range(80)])


@pytest.mark.parametrize("seed", range(3))
def test_a_record_beyond_the_limit_is_one_reject(replay, tmp_path, seed):
    rng = random.Random("limit %d" % seed)
    limit = rng.choice([60, 150, 250])
    good = good_records(rng)
    check(replay, tmp_path, [archives.hostile(rng, good) for _ in range(60)],
          arguments=["--max-record", limit], max_record=limit)


@pytest.mark.parametrize("codes", ["app", "baileys"])
@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Europe/Lisbon", "Asia/Kolkata"])
def test_every_shape_is_read(replay, tmp_path, codes, zone):
    rng = random.Random(codes + zone)
    # Lisbon's clocks went back at 2025-10-26 01:00 UTC
    lines = [archives.dump(archives.event_record(rng, INSTANCES, IDS, 1761436800, 86400, 0.2), rng)
             for _ in range(400)]
    check(replay, tmp_path, ["\n".join(lines[i::4]).encode() for i in range(4)],
          arguments=["--status-codes", codes, "--date-time-zone", zone],
          options=events.Options(codes, zone))


def test_since_and_until_bound_the_events(replay, tmp_path):
    rng = random.Random("since")
    lines = [archives.dump(archives.event_record(rng, INSTANCES, IDS, START, SPAN))
             for _ in range(300)]
    since, until = START + 86400, START + 2 * 86400
    check(replay, tmp_path, ["\n".join(lines).encode()],
          arguments=["--since", "2025-10-20T18:53:20Z", "--until", "2025-10-21T18:53:20Z"],
          options=events.Options(since=since * 1000000, until=until * 1000000))
