-- All rows of the campaigns in scope, in no order.
-- In psql: \set contacts public.campaigns_contact
--          \set scope true
--   or     \set scope 'campaign_id = ANY (''{...}''::uuid[])'
COPY (
    SELECT id, campaign_id, instance_used_id, whatsapp_message_id, status,
           sent_at, delivered_at, read_at, failed_at, error_message
    FROM :contacts
    WHERE :scope
) TO STDOUT (FORMAT binary)
