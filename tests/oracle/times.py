"""Points in time: integers, microseconds since 1970 UTC."""

import datetime
import math
import re
from zoneinfo import ZoneInfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
SECOND = 1000000

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?")
_EPOCH = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def _micros(moment):
    return (moment - EPOCH) // MICROSECOND


LEAST = _micros(datetime.datetime(2009, 1, 1, tzinfo=UTC))
BEYOND = _micros(datetime.datetime(2101, 1, 1, tzinfo=UTC))


def _readable(micros):
    return micros if micros is not None and LEAST <= micros < BEYOND else None


def rfc3339(text, zone, z_is_local):
    """A time string, or None. Without offset (or with Z too, if z_is_local) it is local to zone."""
    if not isinstance(text, str):
        return None
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(g) for g in match.groups()[:6])
    fraction = int((match.group(7) or "0")[:6].ljust(6, "0"))
    offset = match.group(8)
    try:
        moment = datetime.datetime(year, month, day, hour, minute,
                                   59 if second == 60 else second, fraction)
        if offset is None or offset in "Zz":
            if offset is not None and not z_is_local:
                zone = "UTC"
            moment = moment.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
        else:
            hours, minutes = int(offset[1:3]), int(offset[-2:])
            if hours > 23 or minutes > 59:
                return None
            east = datetime.timedelta(hours=hours, minutes=minutes)
            moment = moment.replace(tzinfo=datetime.timezone(-east if offset[0] == "-" else east))
        return _readable(_micros(moment.astimezone(UTC)))
    except (ValueError, OverflowError):
        return None


def _rounded(value, scale):
    scaled = value * scale
    return math.floor(scaled + 0.5) if abs(scaled) < 1e18 else None


def epoch(value):
    """Epoch seconds, or milliseconds from 12 digits on; a number or a string, or None."""
    if isinstance(value, float):
        return _readable(_rounded(value, 1e3 if abs(value) >= 1e11 else 1e6))
    if not isinstance(value, str):
        return None
    match = _EPOCH.fullmatch(value)
    if match is None:
        return None
    whole, fraction = match.group(1), match.group(2) or ""
    places = 3 if len(whole) >= 12 else 6
    return _readable(int(whole + fraction[:places].ljust(places, "0")))


def epoch_milliseconds(value):
    """An update's own datetime: milliseconds as a number or as digits, or None."""
    if isinstance(value, float):
        return _readable(_rounded(value, 1e3))
    if isinstance(value, str) and re.fullmatch(r"[0-9]+", value):
        return _readable(int(value) * 1000)
    return None


def received(value):
    """A capture envelope's time in either notation, or None."""
    moment = rfc3339(value, "UTC", False)
    return moment if moment is not None else epoch(value)


def show(micros):
    """UTC with six decimals; None stays None."""
    if micros is None:
        return None
    moment = EPOCH + datetime.timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%06dZ" % moment.microsecond
