-- As spans.sql, where there is no usable log table.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
SELECT c.campaign_id, c.instance_used_id, min(c.sent_at),
       max(greatest(c.sent_at, c.delivered_at, c.read_at, c.failed_at))
FROM :contacts c
WHERE c.campaign_id = ANY ($1) AND c.sent_at IS NOT NULL
GROUP BY 1, 2
