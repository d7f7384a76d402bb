-- Takes out of the batch what is decided on again.
-- In psql: "PREPARE q(integer[]) AS", this file, then EXECUTE q('{1,2}');
DELETE FROM pg_temp.reconcile_batch WHERE n = ANY ($1::integer[])
