"""The capture keeps every webhook, whatever is in it and whatever happens behind it."""

import concurrent.futures
import json
import stat
import threading
import time

import pytest

import tool

MILESTONES = ["SERVER_ACK", "DELIVERY_ACK", "READ", "ERROR"]


def webhook(number, instance="tenant_a_inst_1", **data):
    """The body of one status update, as Evolution 2.x posts it."""
    made = {"event": "messages.update", "instance": instance,
            "data": dict({"keyId": "3EB0%08X" % (number // 2),
                          "status": MILESTONES[(number * 7) % 4]}, **data),
            "date_time": "2025-11-20T%02d:%02d:%02d.250Z" % (
                number // 3600 % 24, number // 60 % 60, number % 60),
            "apikey": "B6D711FCDE4D4FD5936544120E713976"}
    return json.dumps(made, ensure_ascii=number % 2 == 0).encode()


ODD = {
    "unicode": '{"event":"x","data":"ação não 漢字 \U0001f389"}'.encode(),
    "quotes": b'{"event":"x","data":"\\"a\\\\b\\/c\\\\\\""}',
    "escaped control": b'{"event":"x","data":"\\u0000\\u001f\\t\\r\\n"}',
    "lone surrogate": b'{"event":"x","data":"\\ud800"}',
    "line feeds": b'{\r\n\t"event": "x",\n\t"data": 1\r\n}\n',
    "separators": "{\"event\":\"x\",\"data\":\"\u2028\u2029\u0085\"}".encode(),
    "raw control": bytes(range(32)) + b"\x7f",
    "invalid UTF-8": b'{"event":"x","data":"\xff\xc3\x28\xed\xa0\x80"}',
    "every byte": bytes(range(256)),
    "looks like a line": b'","status":200}\n{"received_at":"1","request_body":"{}"}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", ODD)
def test_a_body_is_kept_byte_for_byte(capture, application, name):
    assert capture.post(ODD[name]) == 200
    records = capture.settle(1)
    assert capture.bodies() == [ODD[name]] == application.bodies
    assert records[0]["status"] == 200 and records[0]["uri"] == "/webhooks/evolution"


def test_large_bodies_are_kept_whole_and_never_pass_through_a_file(capture, application):
    media = json.dumps({"event": "messages.upsert", "instance": "i",
                        "data": {"base64": "iVBORw0KGgo=" * (20_000_000 // 12 + 1)}}).encode()
    update = webhook(1, pad="x" * 300_000)
    assert [capture.post(media), capture.post(update)] == [200, 200]
    capture.settle(2)
    assert sorted(capture.bodies()) == sorted([media, update]) == sorted(application.bodies)
    assert "temporary file" not in capture.errors()


def test_a_body_of_unknown_length_is_kept_too(capture):
    body = webhook(1, pad="é" * 200_000)
    capture.app.stop()  # which cannot read such a body
    assert capture.post(body, chunked=True) == 502
    capture.settle(1)
    assert capture.bodies() == [body]
    assert "temporary file" not in capture.errors()


def test_a_body_that_is_too_large_is_refused_and_said_so(capture):
    with capture_client(capture) as connection:
        connection.putrequest("POST", "/webhooks/evolution")
        connection.putheader("Content-Length", str((128 << 20) + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413
    records = capture.settle(1)
    assert [(r["status"], r["request_body"]) for r in records] == [(413, "")]
    assert "too large body" in capture.errors()
    assert replay(capture, capture.dir)["input"]["records"] == 1


def test_webhooks_are_kept_while_the_application_is_down(capture, application):
    """Though the server's error_page would have answered in its place, elsewhere."""
    application.stop()
    assert [capture.post(webhook(n)) for n in range(5)] == [502] * 5
    application.start()
    assert capture.post(webhook(5)) == 200
    capture.settle(6)
    # A worker logs when it has answered, and may be overtaken by another.
    assert sorted(capture.bodies()) == sorted(webhook(n) for n in range(6))
    assert sorted(r["status"] for r in capture.records()) == [200] + [502] * 5
    assert replay(capture, capture.dir)["input"]["status_events"] == 6


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503])
def test_webhooks_are_kept_when_the_application_refuses_them(capture, application, status):
    application.status = status
    assert capture.post(webhook(1)) == status
    capture.settle(1)
    assert capture.bodies() == [webhook(1)]


def test_a_webhook_that_evolution_posts_again_changes_nothing(capture, application):
    """It retries what was not answered: the archive then holds it twice."""
    application.stop()
    for _ in range(3):
        capture.post(webhook(1))
    once = fold(capture, [webhook(1)])
    capture.settle(3)
    assert states(capture) == once


def test_received_is_when_the_webhook_came_and_not_when_it_was_answered(capture, application):
    application.delay = 1.5
    before = time.time()
    capture.post(webhook(1))
    record = capture.settle(1)[0]
    assert before - 0.01 <= float(record["received_at"]) < before + 0.7
    # and it is what counts where a body has no time of its own
    undated = json.loads(webhook(2))
    del undated["date_time"]
    application.delay = 0
    capture.post(json.dumps(undated).encode())
    received = float(capture.settle(2)[1]["received_at"])
    newest = [s for s in states(capture) if s["message_id"] == undated["data"]["keyId"]][0]
    seen = newest[newest["seen"][-1] + "_at"]
    assert seen.endswith("Z") and newest["approximate"] == []
    assert abs(time.mktime(time.strptime(seen[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
               - int(received)) <= 1


def test_what_is_no_webhook_is_not_kept(capture, application):
    application.stop()
    assert capture.get("/webhooks/health") == 502
    assert capture.post(b"password=secret", path="/login") == 204
    capture.post(webhook(1))
    capture.settle(1)
    assert capture.bodies() == [webhook(1)]


def test_nothing_is_lost_or_torn_by_many_at_once_and_by_rotation(capture):
    enough = threading.Event()

    def post_each(start):
        posted = []
        with capture_client(capture) as connection:
            while not enough.is_set():
                body = webhook(start + 8 * len(posted), pad="á" * (len(posted) * 37 % 9000))
                assert capture.post(body, connection=connection) == 200
                posted.append(body)
        return posted

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parts = [pool.submit(post_each, n) for n in range(8)]
        try:
            for _ in range(3):
                capture.rotate()
        finally:
            enough.set()
        bodies = [body for part in parts for body in part.result()]
    assert len(bodies) > 50
    capture.settle(len(bodies))

    names = sorted(p.name for p in capture.archives())
    assert len(names) == 3 and sum(n.endswith(".gz") for n in names) == 2, names
    assert sorted(capture.bodies()) == sorted(bodies)

    counted = replay(capture, capture.dir)["input"]
    assert counted["archives"] == 4 and counted["archives_damaged"] == 0
    assert counted["records"] == counted["bodies"] == counted["status_events"] == len(bodies)
    assert states(capture) == fold(capture, bodies)


def test_a_full_disk_costs_what_did_not_fit_and_nothing_after_it(capture):
    """The limit is of the file's size, which nginx meets as it would a full disk."""
    fits, torn, later = webhook(0), webhook(1, pad="x" * 100_000), webhook(2)
    capture.post(fits)
    capture.settle(1)
    limit(capture, capture.log.stat().st_size + 50_000)
    assert capture.post(torn) == 200, "the application has it all the same"
    until = time.monotonic() + 10
    while "was incomplete" not in capture.errors() and time.monotonic() < until:
        time.sleep(0.01)
    assert "was incomplete" in capture.errors()
    limit(capture, "unlimited")
    capture.post(later)
    capture.settle(3)
    assert len(capture.log.read_bytes()) > 50_000
    counted = replay(capture, capture.dir)["input"]
    assert (counted["records"], counted["status_events"], counted["invalid_json"]) == (3, 2, 1)


def test_archives_are_for_nginx_and_the_group_only(capture):
    capture.post(webhook(1))
    capture.settle(1)
    capture.rotate()
    capture.post(webhook(2))
    capture.settle(2)
    assert stat.S_IMODE(capture.log.stat().st_mode) == 0o640


def test_logrotate_understands_its_file(capture):
    capture.post(webhook(1))
    capture.settle(1)
    status, said = capture.logrotate("-d")
    assert status == 0 and "error" not in said.replace("error.log", ""), said
    assert str(capture.log) in said


# ---- helpers ---------------------------------------------------------------------------------

class capture_client:
    """A connection to nginx that is kept open and closed in the end."""

    def __init__(self, running):
        self.connection = running.connect()

    def __enter__(self):
        return self.connection

    def __exit__(self, *_):
        self.connection.close()


def limit(running, size):
    """From now on nginx's files end at this size."""
    for pid in running.workers():
        running.run_as_user([tool.program("prlimit"), "--pid", str(pid), "--fsize=%s:" % size])


def replay(running, directory):
    """The report of an offline run over the archives."""
    done = tool.run("replay", ["--offline", "--format", "json", running.logs], directory)
    assert done.status == 0, done
    return json.loads(done.out)


def read_states(path):
    """The states without the places of the evidence, which depend on where it was archived."""
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    for state in kept:
        del state["evidence"]
    return kept


def states(running):
    """What replay folds from the archives."""
    done = tool.run("replay", ["--offline", "--states-out", "captured.jsonl", "-o", "report",
                               running.logs], running.dir)
    assert done.status == 0, done
    return read_states(running.dir / "captured.jsonl")


def fold(running, bodies):
    """What replay folds from the bodies as they were posted."""
    (running.dir / "posted").write_bytes(b"\n".join(bodies) + b"\n")
    done = tool.run("replay", ["--offline", "--states-out", "posted.jsonl", "-o", "report",
                               "posted"], running.dir)
    assert done.status == 0, done
    return read_states(running.dir / "posted.jsonl")
