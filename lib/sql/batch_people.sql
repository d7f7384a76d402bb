-- Moves the last interaction of the contacts of rows $1 of the batch to the exact
-- time at which they read, where that is later. Passes over contacts that
-- somebody else has; says which rows' they are. = ANY (ARRAY(...)) makes the
-- planner look contacts up by id: it takes the batch for larger than it is.
-- In psql: \set contacts public.campaigns_contact
--          \set people public.contacts_contact
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
WITH fresh AS MATERIALIZED (
    SELECT b.n, c.contact_id AS id, b.new_read_at AS at
    FROM unnest($1) AS w (id)
    JOIN pg_temp.reconcile_batch b ON b.id = w.id
    JOIN :contacts c ON c.id = b.id
    WHERE b.exact & 2 <> 0
), latest AS MATERIALIZED (
    SELECT id, max(at) AS at
    FROM fresh
    GROUP BY id
), wanted AS MATERIALIZED (
    SELECT k.id
    FROM :people k
    JOIN latest f ON f.id = k.id
    WHERE k.id = ANY (ARRAY(SELECT id FROM latest))
      AND (k.last_interaction_date IS NULL OR k.last_interaction_date < f.at)
), locked AS MATERIALIZED (
    SELECT k.id
    FROM :people k
    WHERE k.id = ANY (ARRAY(SELECT id FROM wanted))
    FOR NO KEY UPDATE OF k SKIP LOCKED
), moved AS (
    UPDATE :people k
    SET last_interaction_date = greatest(k.last_interaction_date, f.at)
    FROM latest f
    WHERE k.id = f.id AND k.id = ANY (ARRAY(SELECT id FROM locked))
)
SELECT f.n
FROM fresh f
JOIN wanted x ON x.id = f.id
WHERE NOT EXISTS (SELECT FROM locked l WHERE l.id = f.id)
