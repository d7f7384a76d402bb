-- Lets go of the lock of writing runs.
-- In psql: \set lock_high 1919247215
--          \set lock_low 1852008812
SELECT pg_advisory_unlock((:lock_high::bigint << 32) | :lock_low)
