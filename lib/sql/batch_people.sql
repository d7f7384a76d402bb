-- Moves the last interaction of the contacts of rows $1 of the batch to the exact
-- time at which they read, where that is later. = ANY (ARRAY(...)) makes the
-- planner look contacts up by id: it takes the batch for larger than it is.
-- In psql: \set contacts public.campaigns_contact
--          \set people public.contacts_contact
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
WITH fresh AS MATERIALIZED (
    SELECT c.contact_id AS id, max(b.new_read_at) AS at
    FROM unnest($1) AS w (id)
    JOIN pg_temp.reconcile_batch b ON b.id = w.id
    JOIN :contacts c ON c.id = b.id
    WHERE b.exact & 2 <> 0
    GROUP BY c.contact_id
), locked AS MATERIALIZED (
    SELECT k.id
    FROM :people k
    JOIN fresh f ON f.id = k.id
    WHERE k.id = ANY (ARRAY(SELECT id FROM fresh))
      AND (k.last_interaction_date IS NULL OR k.last_interaction_date < f.at)
    ORDER BY k.id
    FOR NO KEY UPDATE OF k
)
UPDATE :people k
SET last_interaction_date = greatest(k.last_interaction_date, f.at)
FROM fresh f
WHERE k.id = f.id AND k.id = ANY (ARRAY(SELECT id FROM locked))
