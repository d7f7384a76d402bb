-- The session's own settings: none of those that come with a pasted connection
-- string (statement_timeout=30s, for one), a role or a database may reach us.
-- Settings that only newer servers know are set where they exist.
-- A database of SQL_ASCII holds bytes of any encoding, which the server would refuse to
-- send as UTF8.
-- row_security=off turns rows that a policy would hide into an error.
-- Sent after search_path.sql, which needs the user's own search_path.
SET search_path = pg_catalog, pg_temp;
SET statement_timeout = 0;
SET lock_timeout = '5min';
SET idle_in_transaction_session_timeout = 0;
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout');
SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII';
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET standard_conforming_strings = on;
SET client_min_messages = warning;
SET row_security = off;
SET jit = off;
SET work_mem = '64MB';
