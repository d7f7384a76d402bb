"""What one would write first: gzip and json of Python's library, a line at a time.

Counts the lines that are JSON and those that name a status update. It unwraps, folds and
checks nothing, so it does less than replay.
"""

import gzip
import json
import sys


def main(names):
    texts = updates = 0
    for name in names:
        with gzip.open(name) as lines:
            for line in lines:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                texts += 1
                updates += isinstance(value, dict) and "update" in str(value.get("event")).lower()
    print(texts, updates)


main(sys.argv[1:])
