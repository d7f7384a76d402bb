-- What became of a transaction: committed, aborted, in progress, or NULL where
-- it is so old that the server has forgotten.
-- In psql: "PREPARE q(bigint) AS", this file, then EXECUTE q(7342);
SELECT pg_xact_status($1::bigint::text::xid8)
