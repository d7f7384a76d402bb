"""Bytes -> numbered records (docs/semantics.md 1)."""

import re

from . import jsontext

TOP_LEVEL_SPACE = b" \t\r\n[],"
BOM = b"\xef\xbb\xbf"
_CONCERNS_US = re.compile(rb"\\u|messages[._-]update", re.IGNORECASE)
DEFAULT_MAX = 256 << 20


class Record:
    """kind: 'object' (value holds it), 'ignored', 'invalid_json' or 'too_large'."""

    def __init__(self, kind, start, end, value=None):
        self.number = 0
        self.kind = kind
        self.start = start
        self.end = end
        self.value = value


def _line_end(data, pos):
    """The offset behind the line that holds pos."""
    newline = data.find(b"\n", pos)
    return len(data) if newline < 0 else newline + 1


def _line_start(data, pos):
    return data.rfind(b"\n", 0, pos) + 1


def unread(line, max_record=DEFAULT_MAX):
    """Whether a line of its own is counted as ignored without being parsed."""
    line = line[:-1] if line.endswith(b"\n") else line
    line = line[:-1] if line.endswith(b"\r") else line
    if len(line) > max_record or line[:1] != b"{" or line[-1:] != b"}":
        return False
    # `\u` is a lower-case u; `\U` is no JSON escape, so folding its case is harmless
    return _CONCERNS_US.search(line) is None


def _objects_alone(data, start, end):
    """The objects of data[start:end] if it is nothing else, or None."""
    line = data[:end]
    found = []
    pos = start
    while pos < end:
        if line[pos] in TOP_LEVEL_SPACE:
            pos += 1
            continue
        if line[pos] != ord("{"):
            return None
        try:
            value, after = jsontext.parse_at(line, pos)
        except jsontext.Break:
            return None
        found.append(Record("object", pos, after, value))
        pos = after
    return found


def _broken_lines(data, start, end):
    """What is left of the lines of a text that broke on the line starting at end."""
    run = None
    while start < end:
        after = _line_end(data, start)
        found = _objects_alone(data, start, after)
        if found is None:
            if run is None:
                run = Record("invalid_json", start, after)
            run.end = after
        elif found:
            if run is not None:
                yield run
            run = None
            yield from found
        start = after
    if run is not None:
        yield run


def _split(data, max_record):
    start_of_data = len(BOM) if data.startswith(BOM) else 0
    pos = start_of_data
    while pos < len(data):
        line_end = _line_end(data, pos)
        at_line_start = pos == start_of_data or data[pos - 1:pos] == b"\n"
        if at_line_start and unread(data[pos:line_end], max_record):
            yield Record("ignored", pos, line_end)
            pos = line_end
            continue
        if data[pos] in TOP_LEVEL_SPACE:
            pos += 1
            continue
        if data[pos] != ord("{"):
            yield Record("invalid_json", pos, line_end)
            pos = line_end
            continue
        value, broken_at = None, None
        try:
            value, end = jsontext.parse_at(data, pos)
        except jsontext.Break as stop:
            end = broken_at = stop.at
        if end - pos > max_record:
            end = _line_end(data, pos + max_record)
            yield Record("too_large", pos, end)
            pos = end
        elif broken_at is None:
            yield Record("object", pos, end, value)
            pos = end
        elif broken_at < line_end or line_end == len(data) and data[-1:] != b"\n":
            yield Record("invalid_json", pos, line_end)
            pos = line_end
        else:
            resume = _line_start(data, broken_at)
            yield from _broken_lines(data, pos, resume)
            pos = resume


def split(data, max_record=DEFAULT_MAX):
    """Every record of an archive's bytes, numbered from 1."""
    for number, record in enumerate(_split(data, max_record), 1):
        record.number = number
        yield record
