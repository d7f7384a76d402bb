"""Prometheus' text exposition format, version 0.0.4, read as strictly as it is described.

parse(text) gives {series: value}, a series being (name, ((label, value), ...)) with labels by name,
and raises Malformed on whatever the description does not allow, or these programs should not write.
"""

import re
import subprocess

import tool

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
# What promtool check metrics finds fault with in a name: units that are no base units, with any
# prefix, and units that are cut short.
UNITS = {"minutes", "hours", "days", "weeks", "kelvins", "fahrenheit", "rankine", "inches", "yards",
         "miles", "bits", "calories", "pounds", "ounces"}
BASE_UNITS = ("amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres",
              "seconds", "volts")
PREFIXES = ("pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi",
            "mega", "mibi", "giga", "gibi", "tera", "tebi", "peta", "pebi")
UNITS |= {p + unit for p in PREFIXES for unit in UNITS.union(BASE_UNITS)}
CUT_SHORT = {"s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"}
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?Inf|NaN")


class Malformed(Exception):
    """What a scraper would stumble over, with its line."""


class Metric:
    """A metric: its comment lines, and whether samples of it have been seen."""

    def __init__(self):
        self.help = self.type = None
        self.samples = 0


class Parser:
    def __init__(self):
        self.metrics = {}
        self.values = {}
        self.current = None  # the metric whose lines are being read

    def metric(self, name):
        """All lines of a metric stand together."""
        if name != self.current and name in self.metrics:
            raise Malformed("lines of %s are apart" % name)
        self.current = name
        return self.metrics.setdefault(name, Metric())

    def comment(self, line):
        words = line.split(" ", 3)
        if words[0] != "#" or len(words) < 2 or words[1] not in ("HELP", "TYPE"):
            return
        if len(words) < 3 or not NAME.fullmatch(words[2]):
            raise Malformed("no metric's name")
        metric = self.metric(words[2])
        text = words[3] if len(words) > 3 else ""
        if words[1] == "HELP":
            if metric.help is not None:
                raise Malformed("a second HELP")
            if re.sub(r"\\[\\n]", "", text).count("\\"):
                raise Malformed("an escape that there is not")
            metric.help = text
            return
        if metric.type is not None or metric.samples:
            raise Malformed("a second TYPE, or one behind samples")
        if text not in TYPES:
            raise Malformed("no type: %r" % text)
        metric.type = text

    @staticmethod
    def labels(text):
        """The labels of "{…}…", and what comes behind them."""
        found, rest = {}, text[1:].lstrip(" \t")
        while not rest.startswith("}"):
            name = LABEL_NAME.match(rest)
            if not name or name.group() in found or name.group().startswith("__"):
                raise Malformed("no label's name, or one twice")
            quoted = re.match(r'[ \t]*=[ \t]*"((?:[^"\\\n]|\\[\\"n])*)"[ \t]*', rest[name.end():])
            if not quoted:
                raise Malformed("no label's value")
            found[name.group()] = re.sub(
                r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), quoted.group(1))
            rest = rest[name.end() + quoted.end():]
            if rest.startswith(","):
                rest = rest[1:].lstrip(" \t")
            elif not rest.startswith("}"):
                raise Malformed("no comma between labels")
        return found, rest[1:]

    def sample(self, line):
        name = NAME.match(line)
        if not name:
            raise Malformed("no metric's name")
        rest, labels = line[name.end():], {}
        if rest.startswith("{"):
            labels, rest = self.labels(rest)
        words = rest.split()
        if not 1 <= len(words) <= 2 or not NUMBER.fullmatch(words[0]):
            raise Malformed("no value")
        if len(words) == 2:
            raise Malformed("a time stamp, which the textfile collector refuses")
        self.metric(name.group()).samples += 1
        series = (name.group(), tuple(sorted(labels.items())))
        if series in self.values:
            raise Malformed("%r twice" % (series,))
        self.values[series] = float(words[0])

    def judge(self):
        """What the description leaves open, and promtool check metrics or we do not."""
        for name, metric in self.metrics.items():
            if not metric.help or metric.type not in ("counter", "gauge") or not metric.samples:
                raise Malformed("%s: without help, type or samples" % name)
            words = name.lower().split("_")
            for bad, why in ((TYPES, "a type"), (UNITS, "no base unit"),
                             (CUT_SHORT, "a unit cut short")):
                if set(words[1:]) & set(bad):
                    raise Malformed("%s: %s in a name" % (name, why))
            if (metric.type == "counter") != name.endswith("_total"):
                raise Malformed("%s: a counter's name ends in _total, and no other" % name)
            if words[-1] in ("bucket", "count", "sum"):
                raise Malformed("%s: a suffix of histograms and summaries" % name)
        for (name, labels), value in self.values.items():
            if name not in self.metrics or not value >= 0:
                raise Malformed("%s: without a metric, or below 0" % name)
            names = [name] + [label for label, _ in labels]
            if any(re.search("[a-z][A-Z]|:", n) for n in names) or {"le", "quantile"} & set(names):
                raise Malformed("%s: a colon, camelCase, or a label of histograms" % name)


def parse(text):
    """The samples of a file of metrics."""
    if not text.endswith("\n"):
        raise Malformed("the last line has no end")
    parser = Parser()
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            if line.startswith("#"):
                parser.comment(line)
            elif line.strip(" \t"):
                parser.sample(line)
        except Malformed as why:
            raise Malformed("line %d: %s: %r" % (number, why, line)) from None
    parser.judge()
    return parser.values


def read(path):
    """The samples of a file, which promtool has seen, too, where it is installed."""
    text = path.read_text()
    promtool = tool.find("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=text.encode(), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0 and done.stdout == b"", done
    return parse(text)


class Metrics:
    """The samples of a file, by name and labels; the label `tool` may be left out."""

    def __init__(self, path, tool_name):
        self.values = read(path)
        self.tool = tool_name
        assert {dict(labels)["tool"] for _, labels in self.values} == {tool_name}

    def get(self, name, **labels):
        labels["tool"] = self.tool
        return self.values.get(("reconcile_" + name, tuple(sorted(labels.items()))))

    def __call__(self, name, **labels):
        value = self.get(name, **labels)
        assert value is not None, (name, labels)
        return value
