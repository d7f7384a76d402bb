#!/bin/sh
# Prints the first Python 3 that can import pytest; status 1 where none can.
# A version manager's python3 often comes first in PATH and lacks the pytest
# that the system's own python3 has. PYTHON, where set, is the only candidate.
set -u

for python in ${PYTHON:-python3 /usr/bin/python3 /usr/local/bin/python3}; do
    if "$python" -c 'import sys, pytest; sys.exit(sys.version_info < (3, 9))' \
        >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
done
exit 1
