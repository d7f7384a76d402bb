-- Per campaign and instance that sent: the first sent_at and the latest time of
-- its rows. A row's instance is instance_used_id, else that of its latest
-- message_sent log row that has one.
-- In psql: \set contacts public.campaigns_contact
--          \set logs public.campaigns_log
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
SELECT c.campaign_id, coalesce(c.instance_used_id, l.instance_id), min(c.sent_at),
       max(greatest(c.sent_at, c.delivered_at, c.read_at, c.failed_at))
FROM :contacts c
LEFT JOIN (
    SELECT DISTINCT ON (campaign_contact_id) campaign_contact_id, instance_id
    FROM :logs
    WHERE campaign_id = ANY ($1) AND log_type = 'message_sent'
      AND campaign_contact_id IS NOT NULL AND instance_id IS NOT NULL
    ORDER BY campaign_contact_id, created_at DESC, instance_id
) l ON l.campaign_contact_id = c.id AND c.instance_used_id IS NULL
WHERE c.campaign_id = ANY ($1) AND c.sent_at IS NOT NULL
GROUP BY 1, 2
