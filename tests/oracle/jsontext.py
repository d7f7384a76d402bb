"""Strict JSON, with the position of the first byte that cannot continue a text.

Numbers become floats, objects dicts (the last of equal keys wins), a NUL in a string is
allowed and in a key is not, invalid UTF-8, lone surrogates and numbers beyond a double
are errors, and so is the 513th nested object or array.
"""

import math
import re
import sys

# two calls a level, MAX_DEPTH levels
sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))

MAX_DEPTH = 512
SPACE = b" \t\r\n"
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPES = {ord('"'): '"', ord("\\"): "\\", ord("/"): "/", ord("b"): "\b",
            ord("f"): "\f", ord("n"): "\n", ord("r"): "\r", ord("t"): "\t"}


class Break(Exception):
    """The text cannot go on at byte `at` (the length of the data: it ended)."""

    def __init__(self, at):
        super().__init__(at)
        self.at = at


def _space(data, pos):
    while pos < len(data) and data[pos] in SPACE:
        pos += 1
    return pos


def _at(data, pos):
    if pos >= len(data):
        raise Break(pos)
    return data[pos]


def _hex4(data, pos):
    value = 0
    for i in range(pos, pos + 4):
        digit = b"0123456789abcdef".find(bytes([_at(data, i)]).lower())
        if digit < 0:
            raise Break(i)
        value = value * 16 + digit
    return value


def _utf8(data, start, end):
    try:
        return data[start:end].decode("utf-8")
    except UnicodeDecodeError as error:
        # a lead byte is still fine; what cannot be is the byte that should have followed it
        lead = error.reason != "invalid start byte"
        raise Break(start + (error.end if lead else error.start)) from None


def _string(data, pos, key):
    """A string whose opening quote is at pos: (value, offset behind it)."""
    parts = []
    pos += 1
    while True:
        end = _PLAIN.match(data, pos).end()
        parts.append(_utf8(data, pos, end))
        pos = end
        byte = _at(data, pos)
        if byte == ord('"'):
            return "".join(parts), pos + 1
        if byte != ord("\\"):
            raise Break(pos)
        escape = _at(data, pos + 1)
        if escape in _ESCAPES:
            parts.append(_ESCAPES[escape])
            pos += 2
            continue
        if escape != ord("u"):
            raise Break(pos + 1)
        code = _hex4(data, pos + 2)
        pos += 6
        if 0xD800 <= code <= 0xDBFF:
            for i, expected in enumerate(b"\\u"):
                if _at(data, pos + i) != expected:
                    raise Break(pos + i)
            low = _hex4(data, pos + 2)
            if not 0xDC00 <= low <= 0xDFFF:
                raise Break(pos + 5)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            pos += 6
        elif 0xDC00 <= code <= 0xDFFF or (key and code == 0):
            raise Break(pos - 1)
        parts.append(chr(code))


def _number(data, pos):
    match = _NUMBER.match(data, pos)
    if match is None:
        # a lone minus: the byte behind it is the wrong one
        raise Break(pos + 1)
    end = match.end()
    following = data[end:end + 1]
    if following == b"." or following in (b"e", b"E"):
        # the fraction or exponent lacks its digits, which regular expressions skip
        end += 1
        if following != b"." and data[end:end + 1] in (b"+", b"-"):
            end += 1
        raise Break(end)
    if following.isdigit():
        raise Break(end)
    value = float(match.group())
    if math.isinf(value):
        raise Break(end)
    return value, end


def _value(data, pos, depth):
    byte = _at(data, pos)
    if byte == ord("{"):
        return _object(data, pos, depth + 1)
    if byte == ord("["):
        return _array(data, pos, depth + 1)
    if byte == ord('"'):
        return _string(data, pos, False)
    if byte == ord("-") or chr(byte).isdigit() and byte < 128:
        return _number(data, pos)
    for word, value in ((b"true", True), (b"false", False), (b"null", None)):
        if byte == word[0]:
            for i, expected in enumerate(word):
                if _at(data, pos + i) != expected:
                    raise Break(pos + i)
            return value, pos + len(word)
    raise Break(pos)


def _object(data, pos, depth):
    if depth > MAX_DEPTH:
        raise Break(pos)
    members = {}
    pos = _space(data, pos + 1)
    if _at(data, pos) == ord("}"):
        return members, pos + 1
    while True:
        if _at(data, pos) != ord('"'):
            raise Break(pos)
        key, pos = _string(data, pos, True)
        pos = _space(data, pos)
        if _at(data, pos) != ord(":"):
            raise Break(pos)
        members[key], pos = _value(data, _space(data, pos + 1), depth)
        pos = _space(data, pos)
        byte = _at(data, pos)
        if byte == ord("}"):
            return members, pos + 1
        if byte != ord(","):
            raise Break(pos)
        pos = _space(data, pos + 1)


def _array(data, pos, depth):
    if depth > MAX_DEPTH:
        raise Break(pos)
    elements = []
    pos = _space(data, pos + 1)
    if _at(data, pos) == ord("]"):
        return elements, pos + 1
    while True:
        element, pos = _value(data, _space(data, pos), depth)
        elements.append(element)
        pos = _space(data, pos)
        byte = _at(data, pos)
        if byte == ord("]"):
            return elements, pos + 1
        if byte != ord(","):
            raise Break(pos)
        pos += 1


def parse_at(data, pos):
    """The value that starts at pos: (value, offset behind it), or Break."""
    return _value(data, pos, 0)


def parse_whole(text):
    """The value a string holds, white space around it allowed, or Break."""
    data = text.encode("utf-8")
    value, pos = parse_at(data, _space(data, 0))
    pos = _space(data, pos)
    if pos != len(data):
        raise Break(pos)
    return value


def compact(value):
    """A value as jansson prints it with JSON_COMPACT and nothing else."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(_quoted(k) + ":" + compact(v) for k, v in value.items()) + "}"
    return "[" + ",".join(compact(v) for v in value) + "]"


_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text):
    return '"' + "".join(
        _SHORT.get(c) or ("\\u%04X" % ord(c) if c < " " else c) for c in text) + '"'
