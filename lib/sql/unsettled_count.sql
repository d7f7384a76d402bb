-- How many rows unsettled.sql would give without its span of time.
-- In psql: \set contacts public.campaigns_contact
--          \set scope true
SELECT count(*)
FROM :contacts
WHERE status IN ('sending', 'sent', 'delivered') AND whatsapp_message_id <> '' AND :scope
