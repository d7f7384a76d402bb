"""Bytes of one archive (docs/semantics.md 1)."""

import os
import zlib

FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16


class Contents:
    """What one archive yields: its bytes and None, 'truncated' or 'corrupt'."""

    def __init__(self, data, damage):
        self.data = data
        self.damage = damage


class _Cut(Exception):
    pass


class _Corrupt(Exception):
    pass


def _need(raw, pos, count):
    if pos + count > len(raw):
        raise _Cut()
    return pos + count


def _header_end(raw, pos):
    """The offset behind the gzip header that starts at pos."""
    start = pos
    for offset, byte in enumerate(b"\x1f\x8b"):
        _need(raw, pos, offset + 1)
        if raw[pos + offset] != byte:
            raise _Corrupt()
    _need(raw, pos, 4)
    if raw[pos + 2] != 8 or raw[pos + 3] & 0xE0:
        raise _Corrupt()
    flags = raw[pos + 3]
    pos = _need(raw, pos, 10)
    if flags & FEXTRA:
        end = _need(raw, pos, 2)
        pos = _need(raw, end, raw[pos] | raw[pos + 1] << 8)
    for flag in (FNAME, FCOMMENT):
        if flags & flag:
            zero = raw.find(b"\0", pos)
            if zero < 0:
                raise _Cut()
            pos = zero + 1
    if flags & FHCRC:
        end = _need(raw, pos, 2)
        if zlib.crc32(raw[start:pos]) & 0xFFFF != int.from_bytes(raw[pos:end], "little"):
            raise _Corrupt()
        pos = end
    return pos


def _inflate(raw, pos, out):
    """Inflates one deflate stream into out; the offset behind it.

    A broken stream still yields everything in front of the break, which is why the
    input goes in by small pieces once the quick way has failed.
    """
    quick = zlib.decompressobj(-15)
    try:
        data = quick.decompress(raw[pos:])
    except zlib.error:
        slow = zlib.decompressobj(-15)
        try:
            for i in range(pos, len(raw)):
                out.append(slow.decompress(raw[i:i + 1]))
        except zlib.error:
            raise _Corrupt() from None
        raise AssertionError("zlib contradicts itself") from None
    out.append(data)
    if not quick.eof:
        raise _Cut()
    return len(raw) - len(quick.unused_data)


def contents(raw):
    """Bytes as stored -> bytes as written."""
    if raw[:2] != b"\x1f\x8b":
        return Contents(raw, None)
    out = []
    pos = 0
    try:
        while pos < len(raw):
            member_at = len(out)
            pos = _inflate(raw, _header_end(raw, pos), out)
            member = b"".join(out[member_at:])
            end = _need(raw, pos, 8)
            want = zlib.crc32(member).to_bytes(4, "little")
            want += (len(member) & 0xFFFFFFFF).to_bytes(4, "little")
            if raw[pos:end] != want:
                raise _Corrupt()
            pos = end
            while pos < len(raw) and raw[pos] == 0:
                pos += 1
    except _Cut:
        return Contents(b"".join(out), "truncated")
    except _Corrupt:
        return Contents(b"".join(out), "corrupt")
    return Contents(b"".join(out), None)


def expand(paths):
    """Archive names in the order of the arguments, directories walked in byte order."""
    names = []
    for path in paths:
        if os.path.isdir(path):
            names.extend(_walk(path.rstrip("/") or "/"))
        else:
            names.append(path)
    return names


def _walk(directory):
    found = []
    for where, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(where, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found.append(path)
    return sorted(found, key=os.fsencode)
