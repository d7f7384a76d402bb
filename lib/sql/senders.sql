-- Which instances sent, by the log: all message_sent rows of the campaigns in
-- scope that name one, in no order. The latest of each row counts; to sort them
-- here, or to join those rows that do not name their instance, takes longer than
-- to read them all.
-- In psql: \set logs public.campaigns_log
--          \set scope true
--   or     \set scope 'campaign_id = ANY (''{...}''::uuid[])'
COPY (
    SELECT campaign_contact_id, instance_id, created_at
    FROM :logs
    WHERE :scope AND log_type = 'message_sent'
      AND campaign_contact_id IS NOT NULL AND instance_id IS NOT NULL
) TO STDOUT (FORMAT binary)
