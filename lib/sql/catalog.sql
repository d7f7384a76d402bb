-- The columns of all tables and views of given names, by name and by the place
-- of their schema in the search_path: what comes first hides what comes later.
-- In psql: "PREPARE q(name[], text[]) AS", this file, then
--   EXECUTE q(current_schemas(true), '{campaigns_campaign,campaigns_contact}');
SELECT s.place::integer, n.nspname, c.relname, c.relkind, a.attname, a.atttypid,
       format_type(a.atttypid, a.atttypmod), a.atttypmod
FROM unnest($1::name[]) WITH ORDINALITY AS s (name, place)
JOIN pg_namespace n ON n.nspname = s.name
JOIN pg_class c ON c.relnamespace = n.oid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, s.place, a.attnum
