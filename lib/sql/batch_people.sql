-- Moves the last interaction of contacts $1 to the exact times $2 at which they
-- read, where that is later. Passes over contacts that somebody else has; says
-- which of the corrections $3 moved them. = ANY makes the planner look them up by
-- id: it takes what WITH gathers for more, or less, than it is.
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
    SELECT k.id, f.at
    FROM :people k
    JOIN latest f ON f.id = k.id
    WHERE k.id = ANY ($1)
      AND (k.last_interaction_date IS NULL OR k.last_interaction_date < f.at)
), locked AS MATERIALIZED (
    SELECT k.id
    FROM :people k
    WHERE k.id = ANY (ARRAY(SELECT id FROM wanted))
    FOR NO KEY UPDATE OF k SKIP LOCKED
), moved AS (
    UPDATE :people k
    SET last_interaction_date = greatest(k.last_interaction_date, w.at)
    FROM wanted w
    WHERE k.id = w.id AND k.id = ANY (ARRAY(SELECT id FROM locked))
)
SELECT f.n
FROM fresh f
JOIN wanted w ON w.id = f.id
WHERE NOT EXISTS (SELECT FROM locked l WHERE l.id = w.id)
