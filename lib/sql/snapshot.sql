-- Takes the snapshot of the transaction just begun: when, and who serves us.
SELECT now(), pg_backend_pid()
