-- Locks the rows of the batch, whatever they hold, passing over those that
-- somebody else has; says which are ours.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(boolean) AS", this file, then EXECUTE q(false);
SELECT b.n
FROM pg_temp.reconcile_batch b
JOIN :contacts c ON c.id = b.id
WHERE b.again = $1
FOR NO KEY UPDATE OF c SKIP LOCKED
