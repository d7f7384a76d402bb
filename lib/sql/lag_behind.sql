-- Up to where every standby has replayed the log, in bytes; NULL: there is none.
SELECT (min(replay_lsn) - '0/0'::pg_lsn)::bigint
FROM pg_stat_replication
WHERE state IN ('streaming', 'catchup') AND replay_lsn IS NOT NULL
