-- Begins a batch. Times are in milliseconds. The temporary table has no
-- statistics and rows are wanted by id, a few thousand of perhaps millions:
-- with a price of random pages that suits cached tables and SSDs the planner
-- takes the primary key for a batch, and a hash where it is most of the table.
-- In psql: \set lock_timeout 2000
--          \set statement_timeout 600000
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = :lock_timeout;
SET LOCAL statement_timeout = :statement_timeout;
SET LOCAL idle_in_transaction_session_timeout = '10min';
SET LOCAL random_page_cost = 1.1;
