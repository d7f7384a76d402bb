#!/bin/sh
# Prints the directory that holds postgres, initdb and psql; status 1 where
# there is none. Debian keeps the server out of PATH, one directory for each
# major version: the highest is taken. PG_BINDIR, where set, comes first.
set -u

is_bindir() {
    [ -x "$1/postgres" ] && [ -x "$1/initdb" ] && [ -x "$1/psql" ]
}

{
    echo "${PG_BINDIR:-}"
    for dir in /usr/lib/postgresql/*/bin; do
        echo "$dir"
    done | sort -t / -k 5,5nr
    pg_config --bindir 2>/dev/null
    postgres=$(command -v postgres) && dirname -- "$(readlink -f -- "$postgres")"
} | {
    while IFS= read -r dir; do
        if [ -n "$dir" ] && is_bindir "$dir"; then
            printf '%s\n' "$dir"
            exit 0
        fi
    done
    exit 1
}
