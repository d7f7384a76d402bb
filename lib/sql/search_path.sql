-- The schemas that the user's search_path leads to, in its order, itself for
-- messages, and who serves us. Functions are qualified and there is no
-- operator, as this runs before the search_path is ours.
SELECT pg_catalog.current_schemas(true),
       pg_catalog.current_setting('search_path'),
       pg_catalog.pg_backend_pid()
