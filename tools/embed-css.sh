#!/bin/sh
# usage: embed-css.sh FILE.css >SOURCE.c
#
# Makes two strings of a style sheet: report_css, without its comments and
# indentation, and report_css_hash, the source expression ('sha256-...') by
# which a Content-Security-Policy allows exactly these bytes. Comments stand on
# lines of their own.
set -eu

tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT

awk '
    { sub(/^[ \t]+/, "") }
    inside { if (/\*\/$/) inside = 0; next }
    /^\/\*/ { if (!/\*\/$/) inside = 1; next }
    /^$/ { next }
    /<|\/\*/ { print "embed-css.sh: line " NR ": < or a comment within a line" >"/dev/stderr"; exit 1 }
    { print }
' "$1" >"$tmp"

# Base64 of 32 bytes given as 64 hexadecimal digits: 3 digits make 2 letters,
# the last digit and two zero bits make one more.
hash=$(sha256sum "$tmp" | awk '{
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (i = 1; i <= 64; i += 3) {
        bits = 0
        for (j = 0; j < 3; j++)
            bits = bits * 16 + (i + j > 64 ? 0 : index("0123456789abcdef", substr($1, i + j, 1)) - 1)
        printf "%s", substr(letters, int(bits / 64) + 1, 1)
        if (i < 64)
            printf "%s", substr(letters, bits % 64 + 1, 1)
    }
    print "="
}')

echo "/* Generated from $1 by tools/embed-css.sh. */"
echo '#include "report_html.h"'
echo
echo "const char report_css_hash[] = \"'sha256-$hash'\";"
echo 'const char report_css[] ='
awk '{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\\&")
    printf "    \"%s\\n\"\n", $0
}' "$tmp"
echo '    ;'
