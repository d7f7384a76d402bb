#!/bin/sh
# usage: demo.sh    (from make demo, which has seen to the dependencies)
#
# The whole story on a throwaway PostgreSQL: a generated campaign database that
# lost a part of its webhooks, and the archives that still have them. A dry run,
# the corrections, a second run that finds nothing, and a comparison with what
# the generator knows to be true. Then webhooks are lost that nobody kept, and
# Evolution is asked: a stub of it, which knows the truth. PostgreSQL listens on
# a Unix socket in a temporary directory, the stub on 127.0.0.1, and all of them
# are gone at the end, however it ends.
#
# DEMO_MESSAGES, DEMO_SEED: another size, another set.
set -eu

cd -- "$(dirname -- "$0")/.."
build=$PWD/${BUILD:-build}

server=
stub=
tmp=

stop_server() {
    [ -n "$server" ] || return 0
    # Fast shutdown; a server that does not heed it gets the immediate one.
    kill -INT "$server" 2>/dev/null || :
    left=300
    while kill -0 "$server" 2>/dev/null && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    kill -QUIT "$server" 2>/dev/null || :
    wait "$server" 2>/dev/null || :
    server=
}

stop_stub() {
    [ -n "$stub" ] || return 0
    kill -TERM "$stub" 2>/dev/null || :
    wait "$stub" 2>/dev/null || :
    stub=
}

finish() {
    status=$?
    trap '' HUP INT TERM
    stop_stub
    stop_server
    [ -z "$tmp" ] || rm -rf "$tmp"
    exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

heading() {
    printf '\n== %s\n\n' "$*"
}

die() {
    echo "demo: $*" >&2
    exit 1
}

# run STATUS PROGRAM ARGUMENT ...: shows the command and runs it, among the
# generated files; it has to end with STATUS.
run() {
    expected=$1
    program=$2
    shift 2
    printf '$ %s' "$program" && printf ' %s' "$@" && printf '\n\n'
    status=0
    # By its name, as it is typed: a report ends with such a command.
    (cd "$tmp/data" && PATH=$build:$PATH && exec "$program" "$@") || status=$?
    [ "$status" -eq "$expected" ] ||
        die "$program ended with status $status instead of $expected"
}

# ---- a server of our own --------------------------------------------------------

# PostgreSQL refuses to run as root.
server_user=
if [ "$(id -u)" -eq 0 ]; then
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then
            server_user=$user
            break
        fi
    done
    [ -n "$server_user" ] || die "there is neither a user postgres nor nobody to run the server"
fi

as_server_user() {
    if [ -n "$server_user" ]; then
        setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups -- "$@"
    else
        "$@"
    fi
}

# The socket's path may not be longer than 107 bytes, and the server's user has
# to get there: /tmp where TMPDIR is too long or too private.
make_directory() {
    tmp=$(mktemp -d "$1/reconcile-demo.XXXXXX") || return 1
    chmod 711 "$tmp"
    mkdir -m 700 "$tmp/server"
    [ -z "$server_user" ] || chown "$server_user" "$tmp/server"
    if [ "${#tmp}" -gt 70 ] || ! as_server_user test -w "$tmp/server"; then
        rm -rf "$tmp"
        tmp=
        return 1
    fi
}

start_server() {
    (
        cd "$tmp/server"
        as_server_user "$bindir/initdb" -D "$tmp/server/data" -U demo -A trust -E UTF8 --no-locale \
            --no-sync >"$tmp/initdb.log" 2>&1
    ) || {
        cat "$tmp/initdb.log" >&2
        die "initdb failed"
    }
    chmod 711 "$tmp/server" 2>/dev/null || as_server_user chmod 711 "$tmp/server"

    set -- "$bindir/postgres" -D "$tmp/server/data" -k "$tmp/server" -c listen_addresses= \
        -c fsync=off -c autovacuum=off -c max_connections=20 -c shared_buffers=32MB
    # Should this script be killed outright, the server is told to stop too.
    if [ -n "$server_user" ]; then
        setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups \
            --pdeathsig TERM -- "$@" >"$tmp/server.log" 2>&1 </dev/null &
    else
        setpriv --pdeathsig TERM -- "$@" >"$tmp/server.log" 2>&1 </dev/null &
    fi
    server=$!

    left=600
    until "$bindir/psql" -X -d postgres -c '' >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -eq 0 ] || ! kill -0 "$server" 2>/dev/null; then
            cat "$tmp/server.log" >&2
            die "the server did not start"
        fi
        sleep 0.1
    done
}

sql() {
    "$bindir/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off "$@"
}

bindir=$(sh tools/find-postgres.sh) || die "there is no PostgreSQL server; make deps-check names what is missing"
for program in replay reconcile generate; do
    [ -x "$build/$program" ] || die "$build/$program is missing; run make first"
done
command -v python3 >/dev/null || die "there is no python3 to run the stub of Evolution with"

# Nothing of the caller's own connections, state or configuration.
for name in $(env | sed -n -e 's/^\(PG[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(RECONCILE_[A-Z_]*\)=.*/\1/p' \
    -e 's/^\(EVOLUTION_[A-Z_]*\)=.*/\1/p' -e 's/^\([A-Za-z_]*_proxy\)=.*/\1/p'); do
    unset "$name"
done
make_directory "${TMPDIR:-/tmp}" || make_directory /tmp || die "no directory for the server"
export PGHOST="$tmp/server" PGUSER=demo PGDATABASE=campaigns STATE_DIRECTORY="$tmp/state" RECONCILE_CONFIG=/dev/null

heading "A PostgreSQL server of our own, on a Unix socket in $tmp"
start_server
"$bindir/psql" --version
"$bindir/createdb" campaigns

# How many rows and counters are not what the generator knows to be true.
count_wrong() {
    sql -A -t -F ' ' <<'END'
SELECT (SELECT count(*)
          FROM truth t JOIN campaigns_contact c USING (id)
         WHERE c.status <> t.status
            OR t.sent <> (c.sent_at IS NOT NULL)::int
            OR t.delivered <> (c.delivered_at IS NOT NULL)::int
            OR t.read <> (c.read_at IS NOT NULL)::int),
       (SELECT count(*)
          FROM campaigns_campaign c
          JOIN (SELECT campaign_id, sum(sent) AS sent, sum(delivered) AS delivered,
                       sum(read) AS read, sum(failed) AS failed
                  FROM truth GROUP BY campaign_id) t ON t.campaign_id = c.id
         WHERE (c.messages_sent, c.messages_delivered, c.messages_read, c.messages_failed)
               <> (t.sent, t.delivered, t.read, t.failed));
END
}

heading "A campaign database that lost webhooks, and the archives that still have them"
# The date is fixed and past: the same demonstration every day.
mkdir "$tmp/data"
run 0 generate --seed "${DEMO_SEED:-1}" --messages "${DEMO_MESSAGES:-2000}" \
    --start 2025-03-03T12:00:00Z --truth truth.csv .
sql -f fixtures/schema/deployed.sql >/dev/null
sql -f "$tmp/data/database.sql" >/dev/null
sql <<END
CREATE TABLE truth (id uuid PRIMARY KEY, status text, sent int, delivered int, read int,
                    failed int, corrected int, campaign_id uuid, whatsapp_message_id text);
\copy truth FROM '$tmp/data/truth.csv' (FORMAT csv, HEADER)
ANALYZE;
END
(cd "$tmp/data/archives" && wc -c -- *)
echo
sql -c 'SELECT name AS campaign, total_contacts AS total, messages_sent AS sent,
               messages_delivered AS delivered, messages_read AS read, messages_failed AS failed
          FROM campaigns_campaign ORDER BY name'
before=$(count_wrong)
echo "wrong: ${before% *} messages, the counters of ${before#* } campaigns"

heading "A dry run: what the archives prove and what would be corrected"
run 1 replay -d dbname=campaigns archives
[ "$(count_wrong)" = "$before" ] || die "the dry run wrote"

heading "The corrections"
run 0 replay -d dbname=campaigns --apply -q archives

heading "A second run finds nothing to correct"
run 0 replay -d dbname=campaigns -q archives

heading "Compared with what the generator knows"
after=$(count_wrong)
rows=$(sql -A -t -c 'SELECT count(*) FROM truth')
echo "of $rows messages ${before% *} were wrong before and ${after% *} are wrong now"
echo "the counters of ${before#* } campaigns were wrong before and of ${after#* } are wrong now"
[ "$after" = "0 0" ] || die "not everything was corrected"

# ---- a poll -----------------------------------------------------------------------

# A tenth of the messages, one after another, whose receipts went nowhere.
heading "Webhooks are lost again, and this time nobody kept them"
sql -A -t <<'END' >"$tmp/state.csv"
SELECT concat_ws(',', coalesce(nullif(i.evolution_instance_name, ''), i.instance_name),
                 t.whatsapp_message_id, floor(extract(epoch FROM c.sent_at))::bigint, 1,
                 concat_ws(' ', CASE WHEN t.sent = 1 THEN 'SERVER_ACK' END,
                           CASE WHEN t.delivered = 1 THEN 'DELIVERY_ACK' END,
                           CASE WHEN t.read = 1 THEN 'READ' END,
                           CASE WHEN t.failed = 1 THEN 'ERROR' END))
  FROM truth t
  JOIN campaigns_contact c USING (id)
  JOIN notifications_whatsapp_instance i ON i.id = coalesce(
           c.instance_used_id,
           (SELECT l.instance_id FROM campaigns_log l
             WHERE l.campaign_contact_id = c.id AND l.log_type = 'message_sent'
             ORDER BY l.created_at DESC LIMIT 1),
           (SELECT min(ci.whatsappinstance_id::text)::uuid FROM campaigns_campaign_instances ci
             WHERE ci.campaign_id = c.campaign_id))
 WHERE t.whatsapp_message_id <> '' AND c.sent_at IS NOT NULL;
END
sql <<'END'
UPDATE campaigns_contact c
   SET status = 'sent', delivered_at = NULL, read_at = NULL, failed_at = NULL, error_message = NULL
  FROM truth t,
       (SELECT percentile_disc(0.45) WITHIN GROUP (ORDER BY sent_at) AS since,
               percentile_disc(0.55) WITHIN GROUP (ORDER BY sent_at) AS until
          FROM campaigns_contact) lost
 WHERE t.id = c.id AND c.sent_at >= lost.since AND c.sent_at < lost.until
   AND c.status IN ('delivered', 'read', 'failed')
   AND c.whatsapp_message_id <> '';
UPDATE campaigns_campaign c
   SET messages_delivered = n.delivered, messages_read = n.read, messages_failed = n.failed
  FROM (SELECT campaign_id, count(delivered_at) AS delivered, count(read_at) AS read,
               count(*) FILTER (WHERE status = 'failed') AS failed
          FROM campaigns_contact GROUP BY campaign_id) n
 WHERE n.campaign_id = c.id;
END
before=$(count_wrong)
echo "wrong: ${before% *} messages, the counters of ${before#* } campaigns"

heading "A stub of Evolution 2.3, which has stored what became of them"
export EVOLUTION_API_KEY=demo-key
setpriv --pdeathsig TERM -- python3 tests/stub/evolution.py --version 2.3 --state "$tmp/state.csv" \
    --key "$EVOLUTION_API_KEY" --port-file "$tmp/port" >"$tmp/stub.log" 2>&1 </dev/null &
stub=$!
left=300
until [ -s "$tmp/port" ]; do
    left=$((left - 1))
    if [ "$left" -eq 0 ] || ! kill -0 "$stub" 2>/dev/null; then
        cat "$tmp/stub.log" >&2
        die "the stub did not start"
    fi
    sleep 0.1
done
url=http://127.0.0.1:$(cat "$tmp/port")
echo "at $url; the key is in EVOLUTION_API_KEY"

heading "A dry run of the poll: what Evolution says of messages that have not settled"
run 1 reconcile poll -d dbname=campaigns --evolution-url "$url" --sent-since 2025-03-01
[ "$(count_wrong)" = "$before" ] || die "the dry run wrote"

heading "The corrections; of the reports, which go to files now, the last line"
run 0 reconcile poll -d dbname=campaigns --evolution-url "$url" --sent-since 2025-03-01 \
    -q -o applied.txt --apply
tail -n 1 "$tmp/data/applied.txt"

heading "A second poll finds nothing to correct"
run 0 reconcile poll -d dbname=campaigns --evolution-url "$url" --sent-since 2025-03-01 \
    -q -o again.txt
tail -n 1 "$tmp/data/again.txt"

heading "Compared with what the generator knows"
after=$(count_wrong)
echo "of $rows messages ${before% *} were wrong before and ${after% *} are wrong now"
echo "the counters of ${before#* } campaigns were wrong before and of ${after#* } are wrong now"
[ "$after" = "0 0" ] || die "not everything was corrected"

stop_stub
stop_server
echo
echo "demo: passed; the servers are stopped, nothing is left behind"
