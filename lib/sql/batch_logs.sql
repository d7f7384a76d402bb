-- The log rows that the webhook handler would have written for what the rows
-- $1 of the batch made known, of contacts $2 and sent by instances $3, in run $4,
-- where a row has none of that type yet.
-- A uuid is of version 7: the time, 38 random bits of the statement, and the number
-- of the correction and its milestone. Thus the rows of a batch lie together in the
-- index by id, whose pages would each be written for one of them otherwise.
-- In psql: \set campaigns public.campaigns_campaign
--          \set logs public.campaigns_log
--          \set person_join 'LEFT JOIN public.contacts_contact k ON k.id = w.contact_id'
--          \set person_name k.name
--          \set person_phone k.phone
--          \set log_columns 'log_type, severity, message, created_at, campaign_id, campaign_contact_id, id'
--          \set log_values 'f.log_type, f.severity, f.message, now(), f.campaign_id, f.id, ((SELECT head FROM stamp) || lpad(to_hex(f.number), 9, $$0$$))::uuid'
--          "PREPARE q(uuid[], uuid[], uuid[], text) AS", this file, then
--          EXECUTE q('{...}', '{...}', '{...}', 'run');
WITH stamp AS (
    SELECT overlay(lpad(to_hex(floor(extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                   PLACING '-' FROM 9 FOR 0)
           || '-7' || substr(gen_random_uuid()::text, 16, 12) AS head
), fresh AS (
    SELECT b.n::bigint * 8 + t.bit AS number, b.id, b.campaign_id, w.instance_used_id,
           w.contact_id, p.tenant_id, t.log_type, t.severity,
           t.words || coalesce(:person_name::text, '')
               || CASE WHEN t.bit = 4 THEN ': ' || coalesce(b.new_error, '') ELSE '' END AS message,
           jsonb_build_object(
               'contact_id', w.contact_id::text,
               'contact_phone', :person_phone::text,
               'whatsapp_message_id', b.message_id,
               t.time_name, to_char(t.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'source', 'reconcile',
               'run', $4::text,
               'cause', b.cause,
               'evidence', b.evidence::jsonb)
               || CASE WHEN t.bit = 4 THEN jsonb_build_object('error', b.new_error)
                  ELSE '{}' END AS details
    FROM unnest($1, $2, $3) AS w (id, contact_id, instance_used_id)
    JOIN pg_temp.reconcile_batch b ON b.id = w.id
    JOIN :campaigns p ON p.id = b.campaign_id
    :person_join
    CROSS JOIN LATERAL (VALUES
        (1, 'message_delivered', 'info', 'Mensagem entregue para ', 'delivered_at', b.new_delivered_at),
        (2, 'message_read', 'info', 'Mensagem lida por ', 'read_at', b.new_read_at),
        (4, 'message_failed', 'error', 'Falha ao enviar para ', 'failed_at', b.new_failed_at)
    ) AS t (bit, log_type, severity, words, time_name, at)
    WHERE b.logs & t.bit <> 0
)
INSERT INTO :logs (:log_columns)
SELECT :log_values
FROM fresh f
WHERE NOT EXISTS (
    SELECT FROM :logs l
    WHERE l.campaign_contact_id = f.id AND l.log_type = f.log_type
      AND l.campaign_contact_id = ANY ($1))
