#!/bin/sh
# usage: check-layers.sh [BUILD_DIRECTORY]
#
# Holds the code to the layers of docs/architecture.md:
# - a file of lib/ includes headers of its own layer or of those below it only;
# - a library is used by one module: its header by grep, its symbols by nm;
# - the core reads no file, no clock and no network, and prints nothing;
# - nobody calls a banned function, however it got past lib/banned.h;
# - the generator, which makes the tests' input, uses nothing of lib/.
# A module that is in no layer is an error: say in this table where it belongs.
set -u

build=${1:-build}

# Lowest first; a line that starts with a space goes on with the layer before.
# apply_rows is a part of apply, and so on, unless it is named itself. sql is
# the header made from lib/sql/*.sql.
LAYERS='
base    banned version slice utf8 err log buf arena tally histogram warnings
        clock zone opt ident idmap names mask jsonbytes jsonscan jwalk jmemory jsonw csvw htmlw textw
        command secret progress
io      config inflater gzin archives records relay spill outfile statedir http pgbin pg pgconn
core    evidence status event fold decide gaps
source  source api rejects
store   sql schema store directory senders gapbook match scope judge explain apply run pollplan
out     states actions report metrics
app     options checks pipeline tool_main
'

# header of a library, or a directory of them | the modules that may include it
HEADERS='
libpq-fe.h  pg pgconn
libpq/      pg pgconn
curl/       http
'

# symbols | the modules that may refer to them; * stands for any end
OWNERS='
PQ*         pg pgconn
lo_*        pg pgconn
curl_*      http
'

PURE='jsonscan jwalk tally histogram evidence status event fold decide gaps'

# what the pure modules may not refer to
IMPURE='
json_*
open creat openat fopen fdopen freopen tmpfile mkstemp opendir
read pread readv fread fgets getc getline mmap
write pwrite writev fwrite fputs fputc putc puts putchar
printf fprintf vprintf vfprintf perror
close fclose lseek fseek stat fstat lstat unlink rename fsync
socket connect send recv poll select
time clock clock_gettime gettimeofday nanosleep sleep localtime_r tzset
getenv secure_getenv exit _exit abort rand random getrandom
'

# pure module | what it may refer to all the same
EXCEPTIONS='
event       json_*
'

BANNED='sprintf vsprintf strcpy strcat strtok gmtime localtime atoi atol atoll atof'

export LAYERS HEADERS OWNERS PURE IMPURE EXCEPTIONS BANNED

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# ---- includes -----------------------------------------------------------------

# One line for each file, "file FILE", and for each of its includes,
# "quoted FILE HEADER" or "system FILE HEADER".
for file in lib/*.c lib/*.h replay/*.c reconcile/*.c fixtures/*.c fixtures/*.h; do
    [ -e "$file" ] || continue
    echo "file $file"
    sed -n -e "s|^[ \t]*#[ \t]*include[ \t]*\"\([^\"]*\)\".*|quoted $file \1|p" \
        -e "s|^[ \t]*#[ \t]*include[ \t]*<\([^>]*\)>.*|system $file \1|p" "$file"
done >"$tmp/includes"

awk '
    function complain(what) { print "check-layers: " what; bad = 1 }
    # The module a file is or is a part of.
    function module_of(path,    name) {
        sub(/.*\//, "", path)
        sub(/\.[ch]$/, "", path)
        name = path
        while (!(name in layer) && sub(/_[^_]*$/, "", name)) continue
        return name in layer ? name : path
    }
    BEGIN {
        n = split(ENVIRON["LAYERS"], line, "\n")
        for (i = 1; i <= n; i++) {
            m = split(line[i], word, " ")
            j = 1
            if (line[i] ~ /^[^ ]/) { name = word[1]; level++; j = 2 }
            for (; j <= m; j++) { layer[word[j]] = level; called[word[j]] = name }
        }
        n = split(ENVIRON["HEADERS"], line, "\n")
        for (i = 1; i <= n; i++) {
            m = split(line[i], word, " ")
            for (j = 2; j <= m; j++) { library[word[1]] = 1; may[word[1], word[j]] = 1 }
        }
    }
    { module = module_of($2); in_lib = $2 ~ /^lib\// }
    $1 == "file" && in_lib && !(module in layer) {
        complain($2 ": module \"" module "\" is in no layer of tools/check-layers.sh")
    }
    $1 == "quoted" && $2 ~ /^fixtures\// && (getline first < ("fixtures/" $3)) < 0 {
        complain($2 ": includes \"" $3 "\" from outside fixtures/")
    }
    $1 == "quoted" && in_lib && (module in layer) {
        other = module_of($3)
        if (!(other in layer))
            complain($2 ": includes \"" $3 "\", which is in no layer")
        else if (layer[other] > layer[module])
            complain($2 " (" called[module] ") includes \"" $3 "\" (" called[other] ") above it")
    }
    $1 == "system" {
        for (l in library)
            if (index($3, l) == 1 && !(in_lib && (l, module) in may))
                complain($2 ": includes <" $3 ">, which is not for it")
    }
    END { exit bad }
' "$tmp/includes" >&2
includes=$?

# ---- symbols ------------------------------------------------------------------

touch "$tmp/objects" "$tmp/own"

# "SOURCE SYMBOL", under the names the source used: without a version, read for
# __read_chk, open for open64 and __open_2.
for object in "$build"/lib/*.o "$build"/main/*.o "$build"/fixtures/*.o; do
    source=${object#"$build"/}
    case $source in
    main/*) source=${source#main/} && source=${source%.o}/main.c ;;
    *) source=${source%.o}.c ;;
    esac
    # What is left of a source that is gone says nothing.
    if ! [ -e "$object" ] || ! [ -e "$source" ]; then
        continue
    fi
    nm -u -P "$object" >"$tmp/nm" || exit 1
    nm -g -P --defined-only "$object" >>"$tmp/own" || exit 1
    echo "$source" >>"$tmp/objects"
    awk -v source="$source" '{
        s = $1
        sub(/@.*/, "", s)
        sub(/^__isoc[0-9]*_/, "", s)
        if (s ~ /^__/) { sub(/^__/, "", s); sub(/_chk$/, "", s); sub(/_2$/, "", s) }
        if (s ~ /[a-z]64$/) sub(/64$/, "", s)
        print source, s
    }' "$tmp/nm"
done >"$tmp/symbols"

awk '
    function complain(what) { print "check-layers: " what; bad = 1 }
    function matches(symbol, pattern) {
        if (sub(/\*$/, "", pattern)) return index(symbol, pattern) == 1
        return symbol == pattern
    }
    # Is the symbol among patterns p[1..n]?
    function among(symbol, p, n,    i) {
        for (i = 1; i <= n; i++) if (matches(symbol, p[i])) return 1
        return 0
    }
    function listed(word, list) { return index(" " list " ", " " word " ") > 0 }
    # The module a source is or is a part of.
    function module_of(path,    name) {
        sub(/.*\//, "", path)
        sub(/\.c$/, "", path)
        name = path
        while (!(name in module) && sub(/_[^_]*$/, "", name)) continue
        return name in module ? name : path
    }
    BEGIN {
        n = split(ENVIRON["LAYERS"], word, "[ \n]+")
        for (i = 1; i <= n; i++) module[word[i]] = 1
        owners = split(ENVIRON["OWNERS"], owner, "\n")
        exceptions = split(ENVIRON["EXCEPTIONS"], exception, "\n")
        impures = split(ENVIRON["IMPURE"], impure, " ")
        banneds = split(ENVIRON["BANNED"], banned, " ")
    }
    FILENAME != ARGV[2] { own[$1] = 1; next } # json_..., but ours
    $2 in own { next }
    {
        own_module = module_of($1)
        in_lib = $1 ~ /^lib\//
        if (among($2, banned, banneds))
            complain($1 ": calls " $2 ", which lib/banned.h bans")
        for (i = 1; i <= owners; i++) {
            split(owner[i], word, " ")
            if (word[1] != "" && matches($2, word[1]) && !(in_lib && listed(own_module, owner[i])))
                complain($1 ": refers to " $2 ", which is not for it")
        }
        if (in_lib && listed(own_module, ENVIRON["PURE"]) && among($2, impure, impures)) {
            excused = 0
            for (i = 1; i <= exceptions; i++) {
                n = split(exception[i], word, " ")
                for (j = 2; j <= n; j++)
                    if (word[1] == own_module && matches($2, word[j])) excused = 1
            }
            if (!excused) complain($1 ": refers to " $2 ", but " own_module " is to be pure")
        }
    }
    END { exit bad }
' "$tmp/own" "$tmp/symbols" >&2
symbols=$?

if [ "$includes" -ne 0 ] || [ "$symbols" -ne 0 ]; then
    echo "layers are broken"
    exit 1
fi
echo "$(grep -c '^file' "$tmp/includes") files and $(grep -c . "$tmp/objects") objects keep to them"
