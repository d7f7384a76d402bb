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


NUMBERS = ["1e400", "-1e400", "1e308", "1e-400", "0e999999999", "-0", "-0.0", "9223372036854775807",
           "9223372036854775808", "-9223372036854775809", "18446744073709551616", "2.5", "1e3",
           "1760954400", "1760954400000", "1760954400.123456789", "9" * 4000, "-" + "9" * 4000,
           "0." + "0" * 4000 + "1", "1760954400." + "1" * 4000, "1E+0000000000001", "253402300799",
           "253402300800", "-62135596800", "NaN", "Infinity", "0x10", "+1", ".5", "1_000"]


def test_numbers_of_any_size_are_read_in_every_place(replay, tmp_path):
    """Bare and as a string: as a status, as a time, as the time it was received, as noise."""
    status = '{"event":"messages.update","instance":"i","data":{"keyId":"K%(n)d","status":%(v)s}}'
    shapes = ['{"event":"messages.update","instance":"i","data":{"keyId":"D%(n)d","status":"READ",'
              '"datetime":%(v)s}}',
              '{"event":"messages.update","instance":"i","data":{"keyId":"T%(n)d","status":"READ"},'
              '"date_time":%(v)s}',
              '{"event":"messages.update","instance":"i","data":{"keyId":"N%(n)d","status":"READ"},'
              '"noise":{"a":[%(v)s]},"date_time":"2025-10-20T10:00:00Z"}'] + [
        '{"' + key + '":%(v)s,"body":{"event":"messages.update","instance":"i",'
        '"data":{"keyId":"' + key + '%(n)d","status":"READ"}}}' for key in ("ts", "msec", "@timestamp")]
    contents = [("\n".join(shape % {"n": n, "v": value} for shape in shapes) + "\n").encode()
                for n, number in enumerate(NUMBERS) for value in (number, '"%s"' % number)]
    # how the report shows a status from 10^15 on is not what this is about
    contents += [(status % {"n": n, "v": value}).encode()
                 for n, number in enumerate(NUMBERS) if len(number) < 15 and number != "1e308"
                 for value in (number, '"%s"' % number)]
    check(replay, tmp_path, contents)


@pytest.mark.parametrize("nest", ["[", '{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize("depth", [511, 512, 513, 100000])
def test_nesting_of_any_depth_costs_one_record(replay, tmp_path, nest, depth):
    good = GOOD % b"G"
    close = "]" if nest == "[" else "}"
    pieces = [b'{"messages.update":%s1%s}\n' % ((nest * depth).encode(), (close * depth).encode()),
              b'{"messages.update":%s\n' % (nest * depth).encode(),
              b'{"body":' + (nest * depth).encode() + b"\n", (nest * depth).encode() + b"\n",
              (close * depth).encode() + b"\n"]
    check(replay, tmp_path, [good + piece + good.replace(b"G", b"H") for piece in pieces])


GOOD = (b'{"event":"messages.update","instance":"i","data":{"keyId":"%s","status":"READ"},'
        b'"date_time":"2025-10-20T10:00:00Z"}\n')


def test_texts_of_any_encoding_are_read_or_rejected_line_by_line(replay, tmp_path):
    plain = b"".join(GOOD % b"K%d" % n for n in range(5))
    odd = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\\ud800",
           b"\\udc00\\ud800", b"\\ud83d\\ude00", b"\0", b"\\u0000", b"\xef\xbb\xbf", b"\xef\xbf\xbf",
           b"\x7f", b"\x1f", b"\xc2\x85", b"\xe2\x80\xa8"]
    contents = [plain.decode().encode(encoding) for encoding in (
        "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7")]
    contents += [plain.replace(b"\n", b"\r\n"), plain.replace(b"\n", b"\r"), b"\xef\xbb\xbf" * 2 + plain,
                 plain + b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\n\0"), plain.rstrip(b"\n"),
                 b"\r\n\r\n" + plain + b"\r", b"\xef\xbb\xbf", b"\xef\xbb", b"\0" * 5000]
    for piece in odd:
        contents += [GOOD % piece, GOOD % (b"a" + piece + b"b"), piece + GOOD % b"K", GOOD % b"K" + piece,
                     (GOOD % b"K").replace(b'"READ"', b'"RE' + piece + b'AD"'),
                     (GOOD % b"K").replace(b'"instance":"i', b'"instance":"i' + piece),
                     (GOOD % b"K").replace(b'"data"', b'"da' + piece + b'ta":1,"data"')]
    check(replay, tmp_path, contents)
