-- Which instance sent the rows that do not say so themselves: that of the
-- latest message_sent log row that has one.
-- In psql: \set contacts public.campaigns_contact
--          \set logs public.campaigns_log
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
SELECT DISTINCT ON (l.campaign_contact_id) l.campaign_contact_id, l.instance_id
FROM :logs l
JOIN :contacts c ON c.id = l.campaign_contact_id
WHERE c.campaign_id = ANY ($1) AND c.instance_used_id IS NULL
  AND l.log_type = 'message_sent' AND l.instance_id IS NOT NULL
ORDER BY l.campaign_contact_id, l.created_at DESC, l.instance_id
