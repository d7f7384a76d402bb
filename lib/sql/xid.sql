-- The transaction's number; pg_xact_status() tells later what became of it.
SELECT pg_current_xact_id()::text::bigint
