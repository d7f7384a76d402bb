"""python3 -m oracle fold|decide ...: the oracle from a shell, in tests/.

    fold [options] ARCHIVE...        states lines on stdout, input counts as JSON on stderr
    decide [options] DIR ARCHIVE...  corrected rows as CSV on stdout, the report's message
                                     counts, causes and counters as JSON on stderr

DIR holds instances.csv, campaigns.csv and rows.csv with the columns oracle.database.Tables
names; an empty field is NULL, times are RFC 3339.
"""

import argparse
import csv
import json
import pathlib
import sys

from . import database, decide, events, fold, times


def _options(arguments):
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--status-codes", choices=("app", "baileys"), default="app")
    common.add_argument("--date-time-zone", default="UTC")
    common.add_argument("--failed-wins", choices=("always", "unless-delivered"), default="always")
    parser = argparse.ArgumentParser(prog="oracle")
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("fold", parents=[common])
    one.add_argument("archives", nargs="+")
    two = verbs.add_parser("decide", parents=[common])
    two.add_argument("--rebuild", action="store_true")
    two.add_argument("--timestamps", choices=("fill", "earliest"), default="fill")
    two.add_argument("--time-tolerance", type=int, default=60)
    two.add_argument("--approximate-times", choices=("observed", "null"), default="observed")
    two.add_argument("--settle", type=int, default=900, metavar="SECONDS")
    two.add_argument("--any-instance", action="store_true")
    two.add_argument("--all", action="store_true", help="every campaign, touched or not")
    two.add_argument("tables", type=pathlib.Path)
    two.add_argument("archives", nargs="+")
    return parser.parse_args(arguments)


def _table(path, convert):
    with open(path, newline="") as handle:
        return [{name: convert(name, value or None) for name, value in row.items()}
                for row in csv.DictReader(handle)]


def _value(name, text):
    if name in decide.TIMES:
        return times.rfc3339(text, "UTC", False)
    if name in ("total",) + events.MILESTONES:
        return int(text or 0)
    return text


def _decide(options, states):
    tables = database.Tables(*[_table(options.tables / (name + ".csv"), _value)
                               for name in ("instances", "campaigns", "rows")])
    policy = decide.Policy(options.rebuild, options.failed_wins, options.timestamps,
                           options.time_tolerance, options.approximate_times, options.settle)
    result = database.run(tables, states, policy, options.any_instance,
                          "all" if options.all else None)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("id", "campaign_id", "cause") + decide.VALUES)
    for row in tables.rows:
        if row["id"] in result.cause:
            final = result.rows[row["id"]]
            out.writerow((row["id"], row["campaign_id"], result.cause[row["id"]]) + tuple(
                times.show(final[v]) if v in decide.TIMES else final[v] for v in decide.VALUES))
    json.dump({"messages": result.messages, "causes": result.causes,
               "counters": result.counters, "left_alone": sorted(result.left_alone)},
              sys.stderr, indent=1)


def main():
    options = _options(sys.argv[1:])
    states, counts = fold.fold(options.archives,
                               events.Options(options.status_codes, options.date_time_zone))
    if options.verb == "decide":
        _decide(options, states)
    else:
        sys.stdout.write(fold.lines(states, options.failed_wins))
        json.dump(dict(counts, raw_statuses=counts.raw_statuses, distinct=len(states)),
                  sys.stderr, indent=1)
    sys.stderr.write("\n")


if __name__ == "__main__":
    main()
