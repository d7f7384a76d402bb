-- As find_rows.sql, for ids that the server's encoding may not have: compared
-- as bytes of UTF-8, so that such an id finds nothing instead of failing.
-- In psql: \set contacts public.campaigns_contact
--          "PREPARE q(bytea[]) AS", this file, then EXECUTE q(ARRAY['é'::bytea]);
SELECT c.id, c.campaign_id, c.instance_used_id, c.whatsapp_message_id
FROM unnest((SELECT $1::bytea[])) AS k (message_id)
JOIN :contacts c ON convert_to(c.whatsapp_message_id, 'UTF8') = k.message_id
