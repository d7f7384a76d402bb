#!/bin/sh
# usage: embed-sql.sh OUTDIR [FILE.sql ...]
#
# Writes OUTDIR/sql.h and OUTDIR/sql_embedded.c, which hold each NAME.sql as
# the string sql_NAME. Lines that are nothing but a comment are left out, so
# that the server gets the statement and the file can still explain itself;
# hence no line of a multi-line literal may start with "--".
set -eu

out=$1
shift
mkdir -p "$out"

for f in "$@"; do
    name=${f##*/}
    name=${name%.sql}
    case $name in
    *[!a-z0-9_]* | '')
        echo "embed-sql.sh: \"$f\": a name may hold a-z, 0-9 and _ only" >&2
        exit 1
        ;;
    esac
done

{
    echo '/* Generated from lib/sql by tools/embed-sql.sh. */'
    echo '#ifndef SQL_H'
    echo '#define SQL_H'
    echo '#include <stddef.h>'
    for f in "$@"; do
        name=${f##*/}
        echo "extern const char sql_${name%.sql}[];"
    done
    echo '#endif'
} >"$out/sql.h.tmp"

{
    echo '/* Generated from lib/sql by tools/embed-sql.sh. */'
    echo '#include "sql.h"'
    for f in "$@"; do
        name=${f##*/}
        echo
        echo "const char sql_${name%.sql}[] ="
        # "?" is escaped because C11 still has trigraphs.
        awk '
            /^[ \t]*--/ { next }
            /^[ \t\r]*$/ { next }
            {
                sub(/[ \t\r]+$/, "")
                gsub(/\\/, "&&")
                gsub(/"/, "\\\\&")
                gsub(/\?/, "\\\\&")
                gsub(/\t/, "\\\\t")
                printf "    \"%s\\n\"\n", $0
                n++
            }
            END { if (n == 0) print "    \"\"" }
        ' "$f"
        echo '    ;'
    done
} >"$out/sql_embedded.c.tmp"

mv "$out/sql.h.tmp" "$out/sql.h"
mv "$out/sql_embedded.c.tmp" "$out/sql_embedded.c"
