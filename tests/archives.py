"""Hostile and ordinary archives, made from a seeded random.Random."""

import datetime
import gzip
import json
import os

STATUSES = (["READ"] * 4 + ["DELIVERY_ACK"] * 4 + ["SERVER_ACK"] * 3 + ["ERROR"] * 2 +
            ["PLAYED", "sent", "Delivered", "FAILED", "PENDING", "read_ack", "DELETED"] +
            [0, 1, 2, 3, "0", "1", "2", "3"])
ODD_STATUSES = [4, 5, 7, -1, "", " READ", "04", "7", "Lida", None, True, {"a": "b"}, ["x"],
                "\u00e9", 99]
EVENTS = ["messages.update"] * 6 + ["MESSAGES_UPDATE", "messages-update", "Messages.Update"]


def dump(value, rng=None):
    """JSON text; with rng sometimes pretty-printed, with spaces or with escapes."""
    style = rng.random() if rng else 1
    if style < 0.05:
        return json.dumps(value, indent=2)
    if style < 0.1:
        return json.dumps(value, ensure_ascii=True)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def moment(rng, start, span):
    """A second-exact or fractional RFC 3339 time in [start, start + span) epoch seconds."""
    at = datetime.datetime.fromtimestamp(start + rng.randrange(span), datetime.timezone.utc)
    text = at.strftime("%Y-%m-%dT%H:%M:%S")
    return text + rng.choice(["", "", ".5", ".123456", ".1234567", ".000"])


def times_of(rng, start, span):
    """What a body and its update say about the time: (date_time or absent, datetime or absent)."""
    body, update = {}, {}
    kind = rng.random()
    if kind < 0.7:
        suffix = rng.choice(["Z", "Z", "Z", "", "-03:00", "+0530", "z"])
        body["date_time"] = moment(rng, start, span) + suffix
        if rng.random() < 0.05:
            body["date_time"] = rng.choice(
                ["", None, "2026-02-30T10:00:00Z", 1760950800, "yesterday", "2026-10-20",
                 "2025-10-20T23:59:60Z", "2008-12-31T23:59:59Z", "2101-01-01T00:00:00Z"])
    elif kind < 0.85:
        at = (start + rng.randrange(span)) * 1000 + rng.randrange(1000)
        update["datetime"] = rng.choice([at, str(at)])
        if rng.random() < 0.2:
            update["datetime"] = rng.choice([at // 1000, "x", None, -at])
    return body, update


def update(rng, message_id, status, extra):
    """One status update in one of the shapes seen in real traffic."""
    shape = rng.randrange(4)
    if shape == 0:
        data = {"key": {"id": message_id, "remoteJid": "5511999999999@s.whatsapp.net"},
                "update": {"status": status}}
    elif shape == 1:
        data = {"keyId": message_id, "messageId": "cm-row-id", "status": status, "fromMe": True}
    elif shape == 2:
        data = {"id": message_id, "status": status}
    else:
        data = {"messageId": message_id, "status": status}
    data.update(extra)
    return data


def body(rng, instance, data, fields):
    """A webhook body."""
    named = rng.choice([instance] * 4 + [{"instanceName": instance}, {"name": instance}])
    made = {"event": rng.choice(EVENTS), "instance": named, "data": data}
    made.update(fields)
    if rng.random() < 0.3:
        made.update(sender="5511999999999@s.whatsapp.net", apikey="B6D711FCDE4D4FD5936544120E713976",
                    server_url="https://evo.example.com", destination="https://app.example.com")
    return made


def wrap(rng, value, start, span):
    """A body as captures write it: bare, enveloped once or twice, or as a JSON string."""
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        kind = rng.randrange(4)
        if kind == 0:
            value = {"received_at": moment(rng, start, span) + "Z", "body": value}
        elif kind == 1:
            value = {"time_iso8601": moment(rng, start, span) + "-03:00",
                     "request_body": dump(value)}
        elif kind == 2:
            value = [{"headers": {}, "params": {}, "query": {}, "body": value}]
        else:
            at = start + rng.randrange(span)
            value = {"ts": rng.choice([at, at * 1000, str(at) + ".25", at + 0.5, "soon"]),
                     "payload": value}
    return value


def event_record(rng, instances, message_ids, start, span, odd=0.05):
    """One record that tells of one or several status changes."""
    updates, fields = [], {}
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        status = rng.choice(ODD_STATUSES if rng.random() < odd else STATUSES)
        fields, extra = times_of(rng, start, span)
        if rng.random() < 0.15:
            extra["error"] = rng.choice(["sem saldo", {"message": "n\u00famero inv\u00e1lido"}, "", "a\0b"])
        updates.append(update(rng, rng.choice(message_ids), status, extra))
    data = updates[0] if len(updates) == 1 and rng.random() < 0.8 else updates
    made = body(rng, rng.choice(instances), data, fields)
    return wrap(rng, made, start, span)


def noise_record(rng):
    """A record that does not concern us, or not in a usable way."""
    return rng.choice([
        {"event": "messages.upsert", "instance": "i", "data": {"message": {"base64": "QUJD" * 50}}},
        {"event": "connection.update", "instance": "i", "data": {"state": "open"}},
        {"event": "messages.update"}, {"event": "messages.update", "data": 5},
        {"event": "messages.update", "data": [1, None, "x"]}, {"event": 7, "data": {}},
        {"event": "messages.update", "instance": "i", "data": {"keyId": "", "status": "READ"}},
        {"event": "messages.update", "instance": "i", "data": {"keyId": "e" * 300, "status": 2}},
        {"event": "messages.update", "instance": "i", "data": {"keyId": "n\0l", "status": 2}},
        {"hello": "messages.update"}, {"body": "messages.update"}, {"body": []}, {}, {"a": {}},
        {"body": {"body": {"body": {"body": {"body": {"event": "messages.update", "data": {}}}}}}},
    ])


# lines and pieces of lines that break, or that look broken and are not
BROKEN = [
    b'{"event":"messages.update","data":', b'{"a":[1,', b'{"a":[', b'{"a":"b', b'{"a":{"b":{',
    b"]", b"[", b"}", b"]}", b",", b"", b"   ", b"\t\r", b"garbage", b"null", b"12", b'"text"',
    b"{", b"{}", b"{}{}", b'{"x":1}', b'{"messages.update":1}', b'{"messages.update":1} tail',
    b'{"event":"chats.update" not json }', b'{"event":"MESSAGES-UPDATE" not json }',
    b'{"u":"\\u0041" no json}', b'{"messages.update":1e999}', b'{"messages.update":-}',
    b'{"messages.update":01}', b'{"messages.update":1.}', b'{"messages.update":"\\x"}',
    b'{"messages.update":"\xff"}', b'{"messages.update":"\xed\xa0\x80"}', b'{"a\\u0000":1}',
    b'{"messages.update":"\xc3', b'{"messages.update":"\\ud800"}', b'{"messages.update":tru}',
    b'{"messages.update":true,}', b'{"messages.update":[1,]}', b'{"messages.update" 1}',
    b'{"messages.update":1}\r', b' {"messages.update":1} ', b'{"messages_update":"}', b'"}', b'":1}',
    b'{"messages.update":' + b"[" * 511 + b"]" * 511 + b"}",
    b'{"messages.update":' + b"[" * 512 + b"]" * 512 + b"}", b"\xef\xbb\xbf{}", b"\0", b"{\0}",
    b'{"messages.update":\v1}', b'[{"messages.update":1},', b'{"messages.update":1},', b"1]",
    b'"messages.update":1,', b'"data":{"keyId":"SPAN","status":"READ"}}', b"{} {", b'{"a":1}{"b":',
]


def hostile(rng, records):
    """An archive's bytes: good records among broken pieces, joined in every way."""
    out = []
    for _ in range(rng.randrange(2, 14)):
        piece = rng.choice(BROKEN) if rng.random() < 0.5 else rng.choice(records)
        out.append(piece)
        out.append(rng.choice([b"\n"] * 12 + [b"\r\n", b"\n\n", b"", b" ", b",", b",\n", b"\n]\n"]))
    if rng.random() < 0.1:
        out.insert(0, b"\xef\xbb\xbf")
    data = b"".join(out)
    return data[:rng.randrange(len(data) + 1)] if rng.random() < 0.15 else data


def save(path, data, mtime):
    """Writes an archive with a modification time."""
    path.write_bytes(data)
    os.utime(path, (mtime, mtime))


def pack(data, members, rng):
    """data as gzip of that many members."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(members - 1))
    edges = [0] + cuts + [len(data)]
    return b"".join(gzip.compress(data[a:b], mtime=0) for a, b in zip(edges, edges[1:]))
