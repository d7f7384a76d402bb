#!/bin/sh
# usage: deb.sh OUTDIR    (from make deb, which has seen to the dependencies)
#
# Builds the Debian package of the work tree as it is, in a copy of it, and
# leaves the .deb in OUTDIR. In a tree without git (make dist's) everything but
# the build directories is copied.
set -eu

out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$tmp/tree"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -path './build*' -prune -o \( -type f -o -type l \) -print0
fi | tar --null --no-recursion -T - -cf - --ignore-failed-read | tar -xf - -C "$tmp/tree"

cd "$tmp/tree"
# What the caller's make hands down is not for the package.
unset BUILD SANITIZE WERROR MAKEFLAGS MFLAGS MAKELEVEL CC DESTDIR
# -d: tools/deps.sh has looked for what is needed, wherever it is from.
dpkg-buildpackage -b -us -uc -d >"$tmp/log" 2>&1 || {
    cat "$tmp/log" >&2
    exit 1
}
mv "$tmp"/*.deb "$out"
for package in "$out"/reconcile_*.deb; do
    echo "$package"
done
