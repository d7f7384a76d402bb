-- Which backend serves us, and does it hold the lock of writing runs?
-- In psql: \set lock_high 1919247215
--          \set lock_low 1852008812
SELECT EXISTS (SELECT FROM pg_locks l
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                 AND l.classid = :lock_high AND l.objid = :lock_low
                 AND l.pid = pg_backend_pid()
                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())),
       pg_backend_pid()
