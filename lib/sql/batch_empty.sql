-- Empties the batch without ending the transaction.
DELETE FROM pg_temp.reconcile_batch
