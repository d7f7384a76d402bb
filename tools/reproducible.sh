#!/bin/sh
# usage: reproducible.sh    (from make check-reproducible, which has seen to the
# dependencies)
#
# Builds everything twice, from copies of the work tree in directories of
# different names, one after the other, under another mask, zone and locale,
# with other times of the sources (later than debian/changelog's: packages keep
# those before it), and compares: programs, completions, the
# Debian package and, of a git work tree, the sources of HEAD.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
top=$(pwd)
jobs=${JOBS:-$(nproc)}

# What the caller's make hands down is not for these.
unset BUILD SANITIZE WERROR MAKEFLAGS MFLAGS MAKELEVEL DESTDIR

# build DIRECTORY TIME: TIME is that of the sources.
build() {
    mkdir -p "$1"
    if git -C "$top" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z
    else
        find . -path './build*' -prune -o \( -type f -o -type l \) -print0
    fi | tar --null --no-recursion -T - -cf - --ignore-failed-read | tar -xf - -C "$1"
    find "$1" -type f -exec touch -d "$2" {} +
    if ! make -s -C "$1" -j"$jobs" all >"$1.log" 2>&1 ||
        ! make -s -C "$1" DEB_BUILD_OPTIONS=parallel="$jobs" deb >>"$1.log" 2>&1; then
        cat "$1.log" >&2
        exit 1
    fi
    # Of HEAD, so it takes the history.
    if [ -e "$top/.git" ]; then
        git clone -q "$top" "$1/history"
        make -s -C "$1/history" dist
        mv "$1"/history/build/*.tar.gz "$1/build"
    fi
}

one=$tmp/one
two=$tmp/another/directory/with-a-longer-name
# shellcheck disable=SC2030,SC2031 # each build has settings of its own
(umask 022 && export TZ=UTC LC_ALL=C && build "$one" 2030-01-01T00:00:00Z)
# shellcheck disable=SC2030,SC2031
(umask 002 && export TZ=Asia/Kolkata LC_ALL=C.UTF-8 SOME_OTHER=variable &&
    build "$two" 2031-06-01T00:00:00Z)

differs=
compared=0
for file in build/replay build/reconcile build/generate build/libreconcile.a \
    "$one"/build/completions/* "$one"/build/deb/*.deb "$one"/build/*.tar.gz; do
    file=${file#"$one"/}
    case $file in
    */main | *'*') continue ;; # what makes the completions is not installed
    esac
    compared=$((compared + 1))
    if cmp "$one/$file" "$two/$file"; then
        printf '%s  %s\n' "$(sha256sum <"$one/$file" | cut -c1-16)" "$file"
    else
        differs="$differs $file"
    fi
done
if [ -n "$differs" ]; then
    echo "differ:$differs" >&2
    if [ -n "${KEEP-}" ]; then
        cp -a "$one" "$KEEP/one"
        cp -a "$two" "$KEEP/two"
    fi
    exit 1
fi
echo "$compared files are the same"
