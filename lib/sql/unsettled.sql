-- The rows on whose messages the last word has not been said, sent in a span of
-- time, or made in it where nobody knows when they were sent; NULL: no bound.
-- In psql: \set contacts public.campaigns_contact
--          \set row_created_at created_at
--          \set scope true
--          "PREPARE q(timestamptz, timestamptz) AS", this file, then
--          EXECUTE q('2026-11-01', NULL);
SELECT id, campaign_id, instance_used_id, whatsapp_message_id, sent_at, :row_created_at
FROM :contacts
WHERE status IN ('sending', 'sent', 'delivered') AND whatsapp_message_id <> ''
  AND ($1::timestamptz IS NULL OR coalesce(sent_at, :row_created_at) >= $1)
  AND ($2::timestamptz IS NULL OR coalesce(sent_at, :row_created_at) < $2)
  AND :scope
