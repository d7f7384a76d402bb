-- Tries the lock of writing runs, and says which backend has it now.
-- In psql: \set lock_high 1919247215
--          \set lock_low 1852008812
SELECT pg_try_advisory_lock((:lock_high::bigint << 32) | :lock_low),
       (SELECT l.pid FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.classid = :lock_high AND l.objid = :lock_low
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        LIMIT 1)
