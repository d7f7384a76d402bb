-- Moves the last interaction of contacts $1 to the exact times $2 at which they
-- read, where that is later. Passes over contacts that somebody else has; says
-- which of the corrections $3 moved them. Whatever the planner takes WITH to
-- gather, contacts are looked up by id, one by one: it cannot turn the LATERALs
-- around, and takes arrays that it does not know for short.
-- In psql: \set people public.contacts_contact
--          "PREPARE q(uuid[], timestamptz[], integer[]) AS", this file, then
--          EXECUTE q('{...}', '{...}', '{...}');
WITH fresh AS MATERIALIZED (
    SELECT id, at, n
    FROM unnest($1, $2, $3) AS f (id, at, n)
), latest AS MATERIALIZED (
    SELECT id, max(at) AS at
    FROM fresh
    GROUP BY id
), wanted AS MATERIALIZED (
    SELECT f.id, f.at
    FROM latest f
    CROSS JOIN LATERAL (
        SELECT
        FROM :people k
        WHERE k.id = f.id
          AND (k.last_interaction_date IS NULL OR k.last_interaction_date < f.at)
        OFFSET 0) k
), locked AS MATERIALIZED (
    SELECT w.id, w.at
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT
        FROM :people k
        WHERE k.id = w.id
        FOR NO KEY UPDATE SKIP LOCKED) k
), moved AS (
    UPDATE :people k
    SET last_interaction_date = greatest(k.last_interaction_date, l.at)
    FROM unnest(ARRAY(SELECT id FROM locked), ARRAY(SELECT at FROM locked)) AS l (id, at)
    WHERE k.id = l.id
)
SELECT n
FROM fresh
WHERE id = ANY (ARRAY(SELECT id FROM wanted EXCEPT SELECT id FROM locked))
