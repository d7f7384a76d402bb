"""--rejects keeps every rejected record, without keys and for its owner only."""

import base64
import json
import stat

import archives
import world as worlds

KEY = "B6D711FCDE4D4FD5936544120E713976"
GOOD = worlds.line("i", "K", "READ", "2025-10-20T10:00:00Z")
HEAD = 64 * 1024


def rejects(replay, directory, data, *arguments):
    archives.save(directory / "a", data, 1760900000)
    done = replay("--offline", "--rejects", "rejects", "--format", "json", "-o", "r.json",
                  *arguments, "a")
    assert done.status == 0, done
    path = directory / "rejects"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = [json.loads(line) for line in path.read_text().splitlines()]
    counts = json.loads((directory / "r.json").read_text())["input"]
    rejected = ("invalid_json", "too_large", "missing_field", "unknown_status")
    assert len(found) == sum(counts[name] for name in rejected)
    return done, found


def test_every_reject_is_kept_with_its_place_reason_and_bytes(replay, tmp_path):
    bad = [b'{"event":"messages.update","data":7}', b'not json {', b'{"messages.update":',
           b'{"event":"messages.update","data":{"keyId":"K","status":"Lida"}}',
           b'{"messages.update":"' + b"x" * 5000 + b'"}']
    reasons = ["missing_field", "invalid_json", "invalid_json", "unknown_status", "too_large"]
    lines = [line for text in bad for line in (GOOD, text + b"\n")]
    done, found = rejects(replay, tmp_path, b"".join(lines), "--max-record", "4000")
    assert [r["reason"] for r in found] == reasons
    assert [r["record"] for r in found] == [2, 4, 6, 8, 10]
    assert {r["archive"] for r in found} == {"a"}
    data = b"".join(lines)
    for reject, text in zip(found, bad):
        head = base64.b64decode(reject["head"])
        assert head.rstrip(b"\n") == text[:len(head.rstrip(b"\n"))] and head.startswith(text[:18])
        assert data[reject["offset"]:].startswith(text)
    for number, reason in zip((2, 4, 6, 8, 10), reasons):
        told = [line for line in done.lines if "record %d," % number in line]
        assert told and '"a"' in told[0] and reason in told[0]


def test_at_most_64_kib_of_a_record_are_kept(replay, tmp_path):
    text = b'{"messages.update":["' + b"0123456789abcdef" * 10000 + b'"]}'
    _, found = rejects(replay, tmp_path, text + b"\n")
    assert base64.b64decode(found[0]["head"]) == text[:HEAD]
    assert found[0]["bytes"] == len(text)


def test_no_api_key_gets_into_the_rejects(replay, tmp_path):
    as_string = json.dumps(json.dumps({"apikey": KEY, "event": "messages.update", "data": 1}))
    twice = json.dumps(as_string)
    texts = [
        '{"event":"messages.update","apikey":"%s","data":5}' % KEY,
        '{"event":"messages.update", "apikey" : "%s" ,"data":5}' % KEY,
        '{"event":"messages.update","apikey":\n"%s","data":5}' % KEY,
        '{"event":"messages.update","APIKEY":"%s","data":5}' % KEY,
        '{"event":"messages.update","data":[1],"apikey":"%s' % KEY,
        'broken "apikey":"%s", {' % KEY,
        '"apikey":"%s"' % KEY,
        '{"body":%s}' % as_string,
        '{"body":%s}' % twice,
        '{"headers":{"apikey":"%s"},"messages.update":1}' % KEY,
        '{"event":"messages.update","apikey":{"a":"%s"},"data":5}' % KEY,
        '{"event":"messages.update","apikey":["%s"],"data":5}' % KEY,
        '{"event":"messages.update","\\u0061pikey":"%s","data":5}' % KEY,
        '{"event":"messages.update","data":5,"pad":"%s","apikey":"%s"}' % ("x" * (HEAD - 60), KEY),
        '{"event":"messages.update","apikey":"a\\"%s","data":5}' % KEY,
    ]
    _, found = rejects(replay, tmp_path, "\n".join(texts).encode() + b"\n")
    assert len(found) >= len(texts)
    kept = 0
    for reject in found:
        if reject["head"] is not None:
            kept += 1
            assert KEY.encode() not in base64.b64decode(reject["head"])
    assert KEY not in (tmp_path / "rejects").read_text()
    assert kept >= 4, "what is certainly masked is kept"


def test_rejects_of_an_earlier_run_are_replaced(replay, tmp_path):
    rejects(replay, tmp_path, b"bad\n" * 9)
    _, found = rejects(replay, tmp_path, b"worse\n" + GOOD)
    assert [base64.b64decode(r["head"]).strip() for r in found] == [b"worse"]


def test_nothing_rejected_leaves_an_empty_file(replay, tmp_path):
    _, found = rejects(replay, tmp_path, GOOD)
    assert found == []


def told(done):
    return [line for line in done.lines if ", record " in line]


def test_the_first_ten_are_told_whatever_thread_meets_them(replay, tmp_path):
    """The earlier an archive in the list, the longer until its first reject is met."""
    names = ["a%02d" % i for i in range(16)]
    for i, name in enumerate(names):
        archives.save(tmp_path / name, GOOD * (20000 >> i) + b"bad\n" * (0 if i % 3 else 3), 1760900000)
    where = [(name, (20000 >> i) + n) for i, name in enumerate(names) if i % 3 == 0
             for n in (1, 2, 3)]
    for jobs in ("1", "2", "8", "8", "8"):
        done = replay("--offline", "-j", jobs, "-o", "r", *names)
        assert [line.split(", byte")[0] for line in told(done)] == [
            'replay: warning: archive "%s", record %d' % place for place in where[:10]]
        assert sum("further rejected records" in line for line in done.lines) == 1
        every = replay("--offline", "-v", "-j", jobs, "-o", "r", *names)
        assert len(told(every)) == len(where) and set(told(done)) < set(told(every))
        assert not told(replay("--offline", "-q", "-j", jobs, "-o", "r", *names))


def test_with_ten_rejects_there_are_no_further_ones(replay, tmp_path):
    done, _ = rejects(replay, tmp_path, b"bad\n" * 10)
    assert len(told(done)) == 10 and not any("further" in line for line in done.lines)
