-- Single rows as they are now.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
SELECT id, campaign_id, instance_used_id, whatsapp_message_id, status,
       sent_at, delivered_at, read_at, failed_at, error_message
FROM :contacts
WHERE id = ANY ($1)
