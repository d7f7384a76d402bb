-- The campaigns with a row sent in a span of time; NULL: no bound.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(timestamptz, timestamptz) AS", this file, then
--          EXECUTE q('2026-11-01', NULL);
SELECT DISTINCT campaign_id
FROM :contacts
WHERE sent_at IS NOT NULL
  AND ($1::timestamptz IS NULL OR sent_at >= $1)
  AND ($2::timestamptz IS NULL OR sent_at < $2)
