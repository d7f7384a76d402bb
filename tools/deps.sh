#!/bin/sh
# usage: deps.sh build|demo|check|check-html|check-valgrind|lint|fuzz|deb ...
#
# Looks for what these need and installs what is missing through apt, as root
# or with sudo. With NO_INSTALL=1, and where there is no apt, it names what is
# missing instead and ends with status 1. What it looks for is the thing, not
# the package, so that a compiler or a library from elsewhere will do.
#
# deps.sh --install PACKAGE ... [-- PACKAGE ...] is the part that runs as root. What
# comes after -- is only wanted.
set -u

here=$(dirname -- "$0")

# nginx and logrotate are where only root's PATH leads.
PATH=$PATH:/usr/sbin:/sbin

say() {
    echo "deps: $*" >&2
}

# ---- as root ------------------------------------------------------------------

# Debian's server package creates a cluster and starts it. Nobody asked for
# one: a setting of postgresql-common prevents it, for as long as this lasts.
no_cluster=/etc/postgresql-common/createcluster.d/reconcile-deps.conf

# Nor for a web server: Debian's package starts one, unless this file says no,
# and at every boot, unless that is taken back.
no_start=/usr/sbin/policy-rc.d
no_start_is_ours=

log=

end_install() {
    rm -f "$no_cluster" ${log:+"$log"} ${no_start_is_ours:+"$no_start"}
}

forbid_start() {
    [ ! -e "$no_start" ] || return 0
    no_start_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$no_start"
    chmod 755 "$no_start"
}

# apt-get ARGUMENT ...: quiet, unless it fails. Others that hold apt's own
# lock (another run of this, unattended upgrades) are waited for.
apt() {
    apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" \
        </dev/null >"$log" 2>&1
}

update_lists() {
    tries=0
    while ! apt update; do
        tries=$((tries + 1))
        if [ "$tries" -lt 30 ] && grep -q 'Could not get lock' "$log"; then
            sleep 5
            continue
        fi
        cat "$log" >&2
        say "apt-get update failed; going on with the lists as they are"
        return
    done
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C
    log=$(mktemp) || exit 1
    trap end_install EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    case " $* " in
    *" postgresql "*)
        mkdir -p "${no_cluster%/*}"
        echo 'create_main_cluster = false' >"$no_cluster"
        ;;
    esac
    case " $* " in
    *" nginx "*) forbid_start ;;
    esac
    update_lists
    needed=
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        needed="$needed $1"
        shift
    done
    # shellcheck disable=SC2086 # a list of package names, split on purpose
    if [ -n "$needed" ] && ! apt --no-install-recommends --no-upgrade install $needed; then
        cat "$log" >&2
        say "apt-get could not install:$needed"
        exit 1
    fi
    case "$needed " in
    *" nginx "*)
        if command -v systemctl >/dev/null; then
            systemctl disable nginx.service >/dev/null 2>&1 || :
        fi
        update-rc.d nginx disable >/dev/null 2>&1 || :
        ;;
    esac
    for package in "$@"; do
        # Not every architecture has it all.
        if [ "$package" != -- ] && apt-cache show "$package" >/dev/null 2>&1 &&
            ! apt --no-install-recommends --no-upgrade install "$package"; then
            say "apt-get could not install $package; going on without"
        fi
    done
    exit 0
}

if [ "${1-}" = --install ]; then
    shift
    # One at a time; dpkg's directory is there on every machine with apt, and
    # a lock on a directory leaves no file behind.
    if [ -z "${RECONCILE_DEPS_LOCKED-}" ]; then
        export RECONCILE_DEPS_LOCKED=1
        exec flock /var/lib/dpkg sh "$0" --install "$@"
    fi
    install_packages "$@"
fi

# ---- as anyone ----------------------------------------------------------------

packages=
names=
optional=

# want PACKAGE PROBE ...: the build does without where it cannot be had.
want() {
    package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        optional="$optional $package"
    fi
}

# need PACKAGE NAME PROBE ...
need() {
    package=$1
    name=$2
    shift 2
    case "$packages " in
    *" $package "*) return ;;
    esac
    if ! "$@" >/dev/null 2>&1; then
        packages="$packages $package"
        names="$names${names:+, }$name"
    fi
}

command_exists() {
    command -v "$1"
}

# By any of the names that tests/html/browser.py knows.
chromium_exists() {
    for name in ${CHROMIUM:-chromium chromium-browser google-chrome google-chrome-stable}; do
        ! command -v "$name" || return 0
    done
    return 1
}

header_exists() {
    echo "#include <$1>" | "${CC:-cc}" -E -
}

# clang with libFuzzer, which is in a package of its own.
fuzzer_exists() {
    echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p && n ? 0 : 0; }' |
        clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null -
}

library_exists() {
    "${PKG_CONFIG:-pkg-config}" --exists "$1"
}

look() {
    packages=
    names=
    optional=
    for set in "$@"; do
        case $set in
        build)
            need gcc "a C compiler (${CC:-cc})" command_exists "${CC:-cc}"
            need libc6-dev "the C library's headers" header_exists stdlib.h
            need binutils "ar and nm" command_exists ar
            need make "GNU make" command_exists make
            need pkg-config "pkg-config" command_exists "${PKG_CONFIG:-pkg-config}"
            need libcurl4-openssl-dev "libcurl" library_exists libcurl
            need libjansson-dev "jansson" library_exists jansson
            need libpq-dev "libpq" library_exists libpq
            need zlib1g-dev "zlib" library_exists zlib
            want libisal-dev library_exists libisal # inflates several times as fast
            ;;
        demo | check)
            need postgresql "a PostgreSQL server" sh "$here/find-postgres.sh"
            need tzdata "the time zone database" \
                test -e /usr/share/zoneinfo/America/Sao_Paulo
            if [ "$set" = demo ]; then
                need python3 "Python 3" command_exists python3
                continue
            fi
            need libcmocka-dev "cmocka" library_exists cmocka
            need "python3 python3-pytest python3-pytest-xdist" "Python 3 with pytest" \
                sh "$here/find-python.sh"
            need debhelper "debhelper" command_exists dh
            need jq "jq" command_exists jq
            need logrotate "logrotate" command_exists logrotate
            need mandoc "mandoc" command_exists mandoc
            need nginx "nginx" command_exists nginx
            need zsh "zsh" command_exists zsh
            want strace command_exists strace # a test is left out without
            ;;
        check-html)
            need chromium "Chromium" chromium_exists
            need "python3 python3-pytest python3-pytest-xdist" "Python 3 with pytest" \
                sh "$here/find-python.sh"
            ;;
        check-valgrind)
            need valgrind "valgrind" command_exists valgrind
            ;;
        deb)
            need debhelper "debhelper" command_exists dh
            ;;
        lint)
            need clang-tidy "clang-tidy" command_exists clang-tidy
            need clang-format "clang-format" command_exists clang-format
            need cppcheck "cppcheck" command_exists cppcheck
            need shellcheck "shellcheck" command_exists shellcheck
            ;;
        fuzz)
            need "clang libclang-rt-dev" "clang with libFuzzer" fuzzer_exists
            ;;
        *)
            echo "usage: deps.sh build|demo|check|check-html|check-valgrind|lint|fuzz|deb ..." >&2
            exit 2
            ;;
        esac
    done
}

# Runs as root what follows. sudo asks for a password only where somebody can
# type one. It drops the environment, so a proxy is handed over by hand.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n env http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" "$@"
    else
        sudo env http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" "$@"
    fi
}

may_become_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || (: </dev/tty) 2>/dev/null
}

# Nothing needed is missing. What is wanted is installed where apt knows of it
# and asks for no password.
install_wanted() {
    for package in $optional; do
        apt-cache show "$package" >/dev/null 2>&1 || return
    done
    [ "${NO_INSTALL:-0}" = 0 ] || return
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || return
    say "installing through apt:$optional"
    # shellcheck disable=SC2086 # a list of package names, split on purpose
    as_root sh "$here/deps.sh" --install -- $optional
}

look "$@"
if [ -z "$names" ]; then
    [ -z "$optional" ] || install_wanted
    exit 0
fi

by_hand="on Debian or Ubuntu: apt-get install$packages"
case ${NO_INSTALL:-0} in
0) ;;
*)
    say "missing: $names"
    say "nothing is installed, as NO_INSTALL is set; $by_hand"
    exit 1
    ;;
esac
if ! command -v apt-get >/dev/null; then
    say "missing: $names"
    say "there is no apt-get here to install them with; $by_hand"
    exit 1
fi
if ! may_become_root; then
    say "missing: $names"
    say "installing them takes root, or sudo; $by_hand"
    exit 1
fi

say "missing: $names"
say "installing through apt:$packages"
# shellcheck disable=SC2086 # a list of package names, split on purpose
as_root sh "$here/deps.sh" --install $packages -- $optional || exit 1

look "$@"
if [ -n "$names" ]; then
    say "still missing after the installation: $names"
    exit 1
fi
say "installed"
