"""Record -> bodies -> status events (docs/semantics.md 1 and 2)."""

import re

from . import jsontext, times

MILESTONES = ("sent", "delivered", "read", "failed")
MAX_DESCENTS = 4
MAX_ID_BYTES = 255
WRAPPERS = ("body", "payload", "request_body", "message")
RECEIVED = ("received_at", "@timestamp", "timestamp", "time", "time_iso8601", "ts", "msec")

WORDS = {
    "ERROR": "failed", "FAILED": "failed", "PENDING": "pending", "SERVER_ACK": "sent",
    "SENT": "sent", "DELIVERY_ACK": "delivered", "DELIVERED": "delivered", "READ": "read",
    "READ_ACK": "read", "PLAYED": "read", "DELETED": "ignored",
}
CODES = {
    "app": ("failed", "pending", "delivered", "read"),
    "baileys": ("failed", "pending", "sent", "delivered", "read", "read"),
}


class Event:
    """One status of one message, seen at one place."""

    def __init__(self, instance, message_id, status, time, approximate, archive, record, error):
        self.instance = instance
        self.message_id = message_id
        self.status = status
        self.time = time
        self.approximate = approximate
        self.archive = archive
        self.record = record
        self.error = error


class Options:
    """How events are read: the options of the same names."""

    def __init__(self, status_codes="app", date_time_zone="UTC", since=None, until=None):
        self.status_codes = status_codes
        self.date_time_zone = date_time_zone
        self.since = since
        self.until = until


class Counts(dict):
    """The report's input counts, and the raw statuses seen."""

    NAMES = ("records", "bodies", "updates", "status_events", "ignored", "invalid_json",
             "missing_field", "unknown_status", "too_large", "archives_damaged")

    def __init__(self):
        super().__init__((name, 0) for name in self.NAMES)
        self.raw_statuses = {}

    def add(self, name):
        self[name] += 1

    def add_raw(self, status):
        text = status if isinstance(status, str) else jsontext.compact(status)
        self.raw_statuses[text] = self.raw_statuses.get(text, 0) + 1


def ascii_lower(text):
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in text)


def ascii_upper(text):
    return "".join(c.upper() if "a" <= c <= "z" else c for c in text)


def _text(container, *path):
    """The non-empty string at a path of keys, or None."""
    for key in path:
        if not isinstance(container, dict):
            return None
        container = container.get(key)
    return container if isinstance(container, str) and container else None


def _first(*candidates):
    for candidate in candidates:
        if candidate is not None:
            return candidate
    return None


def unwrap(value, received=None, descents=0):
    """Yields (body, received time); (None, None) stands for one missing_field."""
    if isinstance(value, dict) and isinstance(value.get("event"), str) and "data" in value:
        yield value, received
        return
    inner = []
    if isinstance(value, dict):
        held = [value[k] for k in WRAPPERS if isinstance(value.get(k), (dict, list, str))]
        if held:
            inner = [held[0]]
            received = _first(*[times.received(value[k]) for k in RECEIVED if k in value], received)
        if held and isinstance(held[0], str):
            try:
                inner = [jsontext.parse_whole(held[0])]
            except jsontext.Break:
                inner = []
            if inner and not isinstance(inner[0], (dict, list)):
                inner = []
    elif isinstance(value, list):
        if not value:
            return
        inner = value
    if not inner or descents == MAX_DESCENTS:
        yield None, None
        return
    for element in inner:
        yield from unwrap(element, received, descents + 1)


def _status(update, counts, options):
    """Milestone, 'pending', 'ignored' or 'unknown_status'."""
    holder = update.get("update")
    if not (isinstance(holder, dict) and "status" in holder):
        holder = update
    if "status" not in holder:
        return "unknown_status"
    status = holder["status"]
    counts.add_raw(status)
    if isinstance(status, str) and not re.fullmatch("[0-9]+", status):
        return WORDS.get(ascii_upper(status), "unknown_status")
    codes = CODES[options.status_codes]
    if isinstance(status, str):
        number = int(status)
    elif isinstance(status, float) and status.is_integer():
        number = int(status)
    else:
        return "unknown_status"
    return codes[number] if 0 <= number < len(codes) else "unknown_status"


def _update_events(update, body, received, source, counts, options):
    archive, record, archive_time = source
    message_id = _first(_text(update, "key", "id"), _text(update, "keyId"),
                        _text(update, "id"), _text(update, "messageId"))
    if message_id is None or "\0" in message_id or len(message_id.encode()) > MAX_ID_BYTES:
        counts.add("missing_field")
        return
    status = _status(update, counts, options)
    if status in ("ignored", "unknown_status"):
        counts.add(status)
        return
    counts.add("status_events")
    instance = _first(_text(body, "instance"), _text(body, "instance", "instanceName"),
                      _text(body, "instance", "name"), _text(update, "owner"), "")
    time = _first(times.epoch_milliseconds(update.get("datetime")),
                  times.rfc3339(body.get("date_time"), options.date_time_zone, True),
                  received)
    approximate = time is None
    if approximate:
        time = archive_time
    error = None
    if status == "failed":
        error = _first(_text(update, "error"), _text(update, "error", "message"),
                       _text(update, "update", "error"),
                       _text(update, "update", "error", "message"),
                       _text(body, "error"), _text(body, "error", "message"))
    if options.since is not None and time < options.since:
        return
    if options.until is not None and time >= options.until:
        return
    yield Event(instance, message_id, status, time, approximate, archive, record, error)


def _body_events(body, received, source, counts, options):
    event = ascii_lower(body["event"]).replace("_", ".").replace("-", ".")
    if event != "messages.update":
        counts.add("ignored")
        return
    data = body["data"]
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list):
        counts.add("missing_field")
        return
    for update in data:
        if isinstance(update, dict):
            counts.add("updates")
            yield from _update_events(update, body, received, source, counts, options)
        else:
            counts.add("missing_field")


def events(record, archive, archive_time, counts, options):
    """The status events of one record; counts everything that ends on the way."""
    counts.add("records")
    if record.kind != "object":
        counts.add(record.kind)
        return
    source = (archive, record.number, archive_time)
    for body, received in unwrap(record.value):
        if body is None:
            counts.add("missing_field")
            continue
        counts.add("bodies")
        yield from _body_events(body, received, source, counts, options)
