-- Fills the batch.
COPY pg_temp.reconcile_batch FROM STDIN (FORMAT binary)
