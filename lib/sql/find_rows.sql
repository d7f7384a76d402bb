-- The rows with one of the given message ids. A join, because a hash or an
-- index finds them with every server version; = ANY compares one by one before
-- PostgreSQL 14. The sub-select hides their number from the planner, which
-- would else hash the table instead of the ids.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(text[]) AS", this file, then EXECUTE q('{3EB0A1B2C3}');
SELECT c.id, c.campaign_id, c.instance_used_id, c.whatsapp_message_id
FROM unnest((SELECT $1::text[])) AS k (message_id)
JOIN :contacts c ON c.whatsapp_message_id = k.message_id
