-- May this role see how far standbys are?
SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
