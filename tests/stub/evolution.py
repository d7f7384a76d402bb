#!/usr/bin/env python3
"""A stub of Evolution's HTTP API, with faults to order (docs/domain.md 3).

    evolution.py --version 1.8|2.3|2.0-nofind --state FILE --key KEY
                 [--port N] [--port-file FILE] [--log FILE] [--tls CERT KEY]
                 [--gzip] [--chunked] [--faults FILE] [--seed N]

Standard library only. Serves on 127.0.0.1 until SIGTERM or SIGINT, then writes
its log: a JSON object of counts and, up to --log-limit, the requests one by one.

The state is what Evolution has stored. As CSV, a line per message:

    instance,message id,seconds since 1970,from me (1 or 0),STATUS@MILLISECONDS ...

or as JSON, a list of objects {"instance", "id", "timestamp", "from_me", "updates": [{"status",
"at"}]}. An instance without messages is a line with its name alone, or {"instance": ...}.

Faults are a JSON list of rules. The first that applies to a request is what happens to it:

    {"fault": NAME, "chance": 0 to 1, "times": N, "endpoint": ..., "instance": ..., "page": N, ...}

`times` is how often it may happen to the same body at the same endpoint, so that trying again
helps in the end; without it, always. Whether it happens is drawn from the seed, the rule and the
request, whatever the order of requests: the same run meets the same faults.

    429             "retry_after": seconds, or "date": seconds as an HTTP date; neither: none
    5xx             "status" (503), with HTML
    status          "status", "body": any answer at all
    stall           says nothing for "seconds" (3600)
    slow            the answer, after "seconds" (1)
    hold            the answer, once "file" exists; "file".held exists as soon as it is held
    trickle         a byte every "seconds" (1)
    reset           breaks the connection
    close           ends the connection without an answer
    cut             half of the body that was announced
    broken_json     the body up to its middle, announced as whole
    html            HTML with status 200
    raw             "text", which need not be HTTP, and the end of the connection
    misshapen       JSON of another shape
    huge            "bytes" (104857600) of JSON, "compressed": as gzip
    redirect        to "location"
    repeat_page     the page before, as if it were this one
    ignore_filters  all rows, whatever was asked for
    empty           no rows
    miscount        counts "add" messages that it has not
    endless         for every page as many new rows as were asked for; of findMessages "pages"
                    there are, else always 9 more than the page; of findStatusMessage the rows
                    are of the message asked for where "own" is true

Two rules change the state and let the request pass:

    moving          another message comes in, before every "every" (3) requests, "times" altogether
    shrinking       the newest message goes away, likewise; only messages that came in before
"""

import argparse
import calendar
import csv
import email.utils
import gzip
import hashlib
import http.server
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

HUGE = 100 * 1024 * 1024
PAGE = 50
UNAUTHORIZED = {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}


def cuid(*parts):
    """An id as Evolution's database gives its rows."""
    return "c" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]


def html(status):
    return ("<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n<center><h1>%d</h1></center>\r\n"
            "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n" % (status, status)).encode()


class Message:
    """One message as Evolution has stored it, with its updates as (status, milliseconds)."""

    __slots__ = ("id", "timestamp", "from_me", "updates", "row_id")

    def __init__(self, instance, message_id, timestamp, from_me=True, updates=()):
        self.id = message_id
        self.timestamp = timestamp
        self.from_me = from_me
        self.updates = list(updates)
        self.row_id = cuid(instance, message_id, timestamp)

    def jid(self):
        return "55%011d@s.whatsapp.net" % (int(self.row_id[1:12], 16) % 10 ** 11)


class Instance:
    """The messages of an instance, newest first."""

    def __init__(self, name):
        self.name = name
        self.id = cuid("instance", name)
        self.messages = []
        self.arrived = 0
        self.filtered = (None, ())

    def sort(self):
        self.messages.sort(key=lambda m: (-m.timestamp, m.row_id))
        self.by_id = {}
        for message in self.messages:
            self.by_id.setdefault(message.id, []).append(message)
        self.status_order = None

    def arrive(self):
        """One more message comes in, newer than all."""
        self.arrived += 1
        newest = self.messages[0].timestamp if self.messages else int(time.time())
        message = Message(self.name, "ARRIVED%07d" % self.arrived, newest, False)
        self.messages.insert(0, message)
        self.by_id[message.id] = [message]

    def leave(self):
        """A message that came in is deleted."""
        if self.messages and self.messages[0].id.startswith("ARRIVED"):
            del self.by_id[self.messages.pop(0).id]

    def in_no_order(self):
        """All messages with an update, in an order that says nothing."""
        if self.status_order is None:
            self.status_order = sorted((m for m in self.messages if m.updates),
                                       key=lambda m: m.row_id)
        return self.status_order


def read_update(text):
    status, _, at = text.partition("@")
    return (int(status) if status.isdigit() else status, int(at) if at else 0)


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as f:
        for row in csv.reader(f):
            if not row:
                continue
            message = None
            if len(row) > 1:
                message = Message(row[0], row[1], int(row[2]), row[3] == "1",
                                  [read_update(u) for u in row[4].split()])
            yield row[0], message


def read_json(path):
    with open(path, encoding="utf-8") as f:
        for m in json.load(f):
            message = None
            if "id" in m:
                message = Message(m["instance"], m["id"], m["timestamp"], m.get("from_me", True),
                                  [(u["status"], u.get("at", 0)) for u in m.get("updates", ())])
            yield m["instance"], message


def read_state(path):
    instances = {}
    for name, message in (read_csv if path.endswith(".csv") else read_json)(path):
        instance = instances.setdefault(name, Instance(name))
        if message:
            instance.messages.append(message)
    for instance in instances.values():
        instance.sort()
    return instances


# ---- what Evolution answers ---------------------------------------------------

class Refused(Exception):
    """An error with the body Evolution gives it."""

    def __init__(self, status, error, message):
        super().__init__(message)
        self.status = status
        self.body = {"status": status, "error": error, "response": {"message": [message]}}


def check_where(body):
    """2.x validates: what is there must not be empty."""
    where = body.get("where", {})
    if not isinstance(where, dict):
        raise Refused(400, "Bad Request", "where is not of a type(s) object")
    for key, value in where.items():
        if value in ("", None):
            raise Refused(400, "Bad Request", "The \"%s\" cannot be empty" % key)
    return where


def page_of(body, default_size=PAGE):
    size = int(body.get("offset") or default_size)
    return max(int(body.get("page") or 1), 1), size


def iso_seconds(text):
    """A bound as JavaScript's Date reads it, in whole seconds."""
    match = re.match(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(?:\.\d+)?Z$", text)
    if not match:
        raise Refused(500, "Internal Server Error", "Invalid time value")
    return calendar.timegm(tuple(int(x) for x in match.groups()) + (0, 0, 0))


def rows_v2(instance, messages):
    for message in messages:
        for n, (status, _) in enumerate(message.updates):
            yield {"id": cuid(message.row_id, n), "keyId": message.id, "remoteJid": message.jid(),
                   "fromMe": message.from_me, "participant": None, "pollUpdates": None,
                   "status": status, "messageId": message.row_id, "instanceId": instance.id}


def rows_v1(instance, messages):
    rows = [{"remoteJid": m.jid(), "fromMe": m.from_me, "id": m.id, "participant": None,
             "datetime": at, "status": status, "owner": instance.name}
            for m in messages for status, at in m.updates]
    rows.sort(key=lambda r: -r["datetime"])
    return rows


def find_status(version, instance, body, ignore):
    where = check_where(body)
    wanted = where.get("id")
    if wanted is not None and not ignore:
        messages = instance.by_id.get(wanted, [])
    else:
        messages = instance.in_no_order()
    if "remoteJid" in where and not ignore:
        messages = [m for m in messages if m.jid() == where["remoteJid"]]
    if version == "1.8":
        rows = rows_v1(instance, messages)
        return rows[:int(body["limit"])] if body.get("limit") else rows
    if version == "2.0-nofind" and not ("page" in body and "offset" in body):
        raise Refused(500, "Internal Server Error", "Invalid value for skip argument")
    page, size = page_of(body)
    return list(rows_v2(instance, messages))[(page - 1) * size:page * size]


def record_v2(instance, m):
    return {"id": m.row_id, "key": {"id": m.id, "fromMe": m.from_me, "remoteJid": m.jid()},
            "pushName": "Campanha", "messageType": "conversation",
            "message": {"conversation": "Olá! \U0001f4e3 \"Promoção\" {50%} de desconto"},
            "messageTimestamp": m.timestamp, "instanceId": instance.id, "source": "android",
            "contextInfo": None, "MessageUpdate": [{"status": s} for s, _ in m.updates]}


def filter_messages(instance, where):
    """What the filter lets through; the last one is remembered, since pages follow each other."""
    asked = (json.dumps(where, sort_keys=True), instance.arrived, len(instance.messages))
    if instance.filtered[0] != asked:
        instance.filtered = (asked, list(filter_anew(instance, where)))
    return instance.filtered[1]


def filter_anew(instance, where):
    key = where.get("key", {})
    span = where.get("messageTimestamp", {})
    messages = instance.messages
    if span.get("gte") and span.get("lte"):
        low, high = iso_seconds(span["gte"]), iso_seconds(span["lte"])
        messages = [m for m in messages if low <= m.timestamp <= high]
    for name, has in (("id", lambda m: m.id), ("fromMe", lambda m: m.from_me),
                      ("remoteJid", Message.jid)):
        if key.get(name):
            messages = [m for m in messages if has(m) == key[name]]
    return messages


def find_messages(version, instance, body, ignore):
    if version == "2.0-nofind":
        raise Refused(404, "Not Found", "Cannot POST /chat/findMessages/%s" % instance.name)
    messages = instance.messages if ignore else filter_messages(instance, check_where(body))
    if version == "1.8":
        limit = int(body.get("limit") or len(messages))
        return [{"key": {"id": m.id, "fromMe": m.from_me, "remoteJid": m.jid()},
                 "pushName": "Campanha", "message": {"conversation": "Olá"},
                 "messageTimestamp": m.timestamp, "owner": instance.name, "source": "android"}
                for m in messages[:limit]]
    page, size = page_of(body)
    return {"messages": {"total": len(messages), "pages": -(-len(messages) // size),
                         "currentPage": page,
                         "records": [record_v2(instance, m)
                                     for m in messages[(page - 1) * size:page * size]]}}


ENDPOINTS = {"findStatusMessage": find_status, "findMessages": find_messages}


# ---- faults ---------------------------------------------------------------------

class Faults:
    """Decides what happens to a request."""

    def __init__(self, rules, seed):
        self.rules = rules
        self.seed = seed
        self.lock = threading.Lock()
        self.seen = {}     # request -> how often
        self.happened = {} # (rule, request) -> how often
        self.requests = 0
        self.moved = {}    # rule -> how often

    def draw(self, endpoint, instance, body):
        """The rules that change the state, and the one that decides the answer or None."""
        request = (endpoint, instance, body)
        with self.lock:
            self.requests += 1
            turn = self.seen[request] = self.seen.get(request, 0) + 1
            moves, chosen = [], None
            for number, rule in enumerate(self.rules):
                if rule.get("endpoint", endpoint) != endpoint:
                    continue
                if rule.get("instance", instance) != instance:
                    continue
                if "page" in rule and '"page":%d,' % rule["page"] not in body:
                    continue
                if rule["fault"] in ("moving", "shrinking"):
                    if self._moves(number, rule):
                        moves.append(rule["fault"])
                elif chosen is None and self._happens(number, rule, request, turn):
                    chosen = rule
            return moves, chosen

    def _moves(self, number, rule):
        done = self.moved.get(number, 0)
        if self.requests % rule.get("every", 3) or done >= rule.get("times", 1 << 30):
            return False
        self.moved[number] = done + 1
        return True

    def _happens(self, number, rule, request, turn):
        done = self.happened.get((number, request), 0)
        if done >= rule.get("times", 1 << 30):
            return False
        key = repr((self.seed, number, request, turn))
        if random.Random(hashlib.sha256(key.encode()).digest()).random() >= rule.get("chance", 1):
            return False
        self.happened[number, request] = done + 1
        return True


# ---- the server -------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.stub.note_connection(1)

    def finish(self):
        self.server.stub.note_connection(-1)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def send(self, status, body, headers=(), announced=None):
        """One write, so that nothing waits for an acknowledgement."""
        lines = ["HTTP/1.1 %d %s" % (status, self.responses.get(status, ("",))[0])]
        lines += ["%s: %s" % h for h in headers]
        chunked = self.server.stub.o.chunked and announced is None
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            pieces = [body[i:i + 4096] for i in range(0, len(body), 4096)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
        else:
            lines.append("Content-Length: %d" % (len(body) if announced is None else announced))
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send_json(self, status, value, cut=False):
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [("Content-Type", "application/json; charset=utf-8")]
        if cut == "json":
            body = body[:len(body) // 2]
        if self.server.stub.o.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers.append(("Content-Encoding", "gzip"))
        if cut == "body":
            self.send(status, body[:len(body) // 2], headers, announced=len(body))
            self.close_connection = True
        else:
            self.send(status, body, headers)

    def do_GET(self):
        self.send_json(200, {"status": 200, "message": "Welcome to the Evolution API"})

    def do_POST(self):
        stub = self.server.stub
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path).path.split("/")
        parts = [urllib.parse.unquote(p) for p in parts[-3:]]
        endpoint, name = parts[-2:] if len(parts) > 2 and parts[0] == "chat" else ("", "")
        entry = stub.note_request(endpoint, name, raw)
        try:
            self.answer(endpoint, name, raw, entry)
        finally:
            stub.note_answer(entry)

    def answer(self, endpoint, name, raw, entry):
        stub = self.server.stub
        if endpoint not in ENDPOINTS:
            return self.refuse(entry, Refused(404, "Not Found", "Cannot POST " + self.path))
        moves, rule = stub.faults.draw(endpoint, name, raw.decode("utf-8", "replace"))
        if rule:
            entry["fault"] = rule["fault"]
        with stub.lock:
            for move in moves:
                if name in stub.instances:
                    getattr(stub.instances[name], "arrive" if move == "moving" else "leave")()
        if rule and rule["fault"] == "slow":
            stub.ending.wait(rule.get("seconds", 1))
        if rule and rule["fault"] == "hold":
            open(rule["file"] + ".held", "w").close()
            while not os.path.exists(rule["file"]) and not stub.ending.wait(0.01):
                pass
        if rule and not rule["fault"] in SHAPING:
            return FAULTS[rule["fault"]](self, rule, entry)
        if self.headers.get("apikey") != stub.o.key:
            entry["status"] = 401
            return self.send_json(401, UNAUTHORIZED)
        try:
            value = self.find(endpoint, name, raw, rule["fault"] if rule else None)
            if rule and rule["fault"] == "miscount" and isinstance(value, dict):
                value["messages"]["total"] += rule["add"]
        except Refused as refused:
            return self.refuse(entry, refused)
        entry["status"] = 200
        self.send_json(200, value, CUTS.get(rule["fault"]) if rule else False)

    def refuse(self, entry, refused):
        entry["status"] = refused.status
        self.send_json(refused.status, refused.body)

    def find(self, endpoint, name, raw, fault):
        stub = self.server.stub
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refused(400, "Bad Request", "Unexpected token in JSON")
        with stub.lock:
            instance = stub.instances.get(name)
            if instance is None:
                raise Refused(404, "Not Found", "The \"%s\" instance does not exist" % name)
            asked = body.get("page")
            if fault == "repeat_page" and asked:
                body["page"] = max(asked - 1, 1)
            if fault == "empty":
                body["page"] = 1 << 30
            value = ENDPOINTS[endpoint](stub.o.version, instance, body, fault == "ignore_filters")
        if fault == "repeat_page" and isinstance(value, dict):
            value["messages"]["currentPage"] = asked
        return value


def endless(handler, rule, entry):
    entry["status"] = 200
    where = json.loads(entry["body"])
    page, size = page_of(where)
    if entry["endpoint"] == "findMessages":
        pages = rule.get("pages", page + 9)
        records = [{"id": cuid(entry["n"], i), "key": {"id": "NEW%d.%d" % (entry["n"], i)}}
                   for i in range(size)]
        return handler.send_json(200, {"messages": {"total": pages * size, "pages": pages,
                                                    "currentPage": page, "records": records}})
    own = where["where"].get("id") if rule.get("own") else None
    handler.send_json(200, [{"id": cuid(entry["n"], i), "keyId": own or "NEW%d.%d" % (entry["n"], i),
                             "status": "READ"} for i in range(size)])


def busy(handler, rule, entry):
    entry["status"] = 429
    headers = [("Content-Type", "text/html")]
    after = rule.get("retry_after")
    if rule.get("date") is not None:
        after = email.utils.formatdate(time.time() + rule["date"], usegmt=True)
    if after is not None:
        headers.append(("Retry-After", str(after)))
    handler.send(429, html(429), headers)


def server_error(handler, rule, entry):
    entry["status"] = rule.get("status", 503)
    handler.send(entry["status"], html(entry["status"]), [("Content-Type", "text/html")])


def any_status(handler, rule, entry):
    entry["status"] = rule["status"]
    handler.send_json(rule["status"], rule.get("body", {}))


def stall(handler, rule, _):
    handler.server.stub.ending.wait(rule.get("seconds", 3600))
    handler.close_connection = True


def trickle(handler, rule, _):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
    while not handler.server.stub.ending.wait(rule.get("seconds", 1)):
        handler.wfile.write(b" ")
    handler.close_connection = True


def reset(handler, _, __):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    try:
        handler.connection.close()
    except OSError:
        pass


def close(handler, _, __):
    handler.close_connection = True


def raw(handler, rule, _):
    handler.wfile.write(rule["text"].encode())
    handler.close_connection = True


def html_page(handler, _, entry):
    entry["status"] = 200
    handler.send(200, html(200), [("Content-Type", "text/html")])


def misshapen(handler, _, entry):
    entry["status"] = 200
    handler.send_json(200, {"ok": True, "messages": "none"})


def huge(handler, rule, entry):
    entry["status"] = 200
    size = rule.get("bytes", HUGE)
    body = b'[{"id":"x","padding":"' + b"x" * (size - 25) + b'"}]'
    headers = [("Content-Type", "application/json")]
    if rule.get("compressed"):
        body = gzip.compress(body, 1)
        headers.append(("Content-Encoding", "gzip"))
    handler.send(200, body, headers)


def redirect(handler, rule, entry):
    entry["status"] = rule.get("status", 302)
    handler.send(entry["status"], b"", [("Location", rule["location"])])


FAULTS = {"429": busy, "5xx": server_error, "status": any_status, "stall": stall,
          "trickle": trickle, "reset": reset, "close": close, "html": html_page, "raw": raw, "endless": endless,
          "misshapen": misshapen, "huge": huge, "redirect": redirect}
CUTS = {"cut": "body", "broken_json": "json"}
SHAPING = ("slow", "hold", "cut", "broken_json", "repeat_page", "ignore_filters", "empty",
           "miscount")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


class Stub:
    """The state, the faults and the log of one server."""

    def __init__(self, options):
        self.o = options
        self.instances = read_state(options.state)
        rules = []
        if options.faults:
            with open(options.faults, encoding="utf-8") as f:
                rules = json.load(f)
        self.faults = Faults(rules, options.seed)
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.started = time.monotonic()
        self.log = {"requests": 0, "connections": 0, "most_connections": 0, "most_at_once": 0,
                    "endpoints": {}, "statuses": {}, "faults": {}, "list": []}
        self.open = 0
        self.under_way = 0

    def note_connection(self, change):
        with self.lock:
            self.open += change
            self.log["connections"] += change > 0
            self.log["most_connections"] = max(self.log["most_connections"], self.open)

    def note_request(self, endpoint, name, raw):
        with self.lock:
            self.log["requests"] += 1
            self.under_way += 1
            self.log["most_at_once"] = max(self.log["most_at_once"], self.under_way)
            return {"n": self.log["requests"], "at": round(time.monotonic() - self.started, 6),
                    "endpoint": endpoint, "instance": name, "body": raw.decode("utf-8", "replace"),
                    "status": None, "fault": None}

    def note_answer(self, entry):
        with self.lock:
            self.under_way -= 1
            for counts, key in (("endpoints", entry["endpoint"]), ("statuses", entry["status"]),
                                ("faults", entry["fault"])):
                if key is not None:
                    self.log[counts][key] = self.log[counts].get(key, 0) + 1
            if len(self.log["list"]) < self.o.log_limit:
                self.log["list"].append(entry)

    def write_log(self):
        """A client may have its answer before the thread that sent it comes to note it."""
        if not self.o.log:
            return
        until = time.monotonic() + 2
        while self.under_way and time.monotonic() < until:
            time.sleep(0.01)
        with self.lock:
            self.log["list"].sort(key=lambda entry: entry["n"])
            with open(self.o.log + ".part", "w", encoding="utf-8") as f:
                json.dump(self.log, f, ensure_ascii=False)
        os.replace(self.o.log + ".part", self.o.log)


def parse(arguments):
    p = argparse.ArgumentParser(description="A stub of Evolution's HTTP API.")
    p.add_argument("--version", choices=("1.8", "2.3", "2.0-nofind"), default="2.3")
    p.add_argument("--state", required=True)
    p.add_argument("--key", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file", help="where the port is written once it is served")
    p.add_argument("--log")
    p.add_argument("--log-limit", type=int, default=20000)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--gzip", action="store_true")
    p.add_argument("--chunked", action="store_true")
    p.add_argument("--faults")
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    stub = Stub(options)
    server = Server(("127.0.0.1", options.port), Handler)
    server.stub = stub
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)

    def stop(*_):
        stub.ending.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    port = server.server_address[1]
    if options.port_file:
        with open(options.port_file + ".part", "w", encoding="utf-8") as f:
            f.write("%d\n" % port)
        os.replace(options.port_file + ".part", options.port_file)
    else:
        print("http%s://127.0.0.1:%d" % ("s" if options.tls else "", port), flush=True)
    try:
        server.serve_forever(poll_interval=0.05)
    finally:
        stub.write_log()
        os._exit(0)  # threads may be stalling a client still


if __name__ == "__main__":
    main(sys.argv[1:])
