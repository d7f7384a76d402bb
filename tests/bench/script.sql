-- What somebody would write by hand instead of `reconcile apply`: the same rows, log
-- rows, last interactions and counters from a CSV of the corrections, in one
-- transaction, without a guard against rows that moved.
-- psql -v csv=FILE -f script.sql DATABASE (deployed naming)
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL TimeZone = 'UTC';
CREATE TEMP TABLE fix (
    id uuid PRIMARY KEY, status text, sent_at timestamptz, delivered_at timestamptz,
    read_at timestamptz, failed_at timestamptz, error_message text, cause text, evidence jsonb,
    exact_read boolean);
\set copy '\\copy fix FROM ' :'csv' ' WITH (FORMAT csv)'
:copy
ANALYZE fix;
CREATE TEMP TABLE was AS
    SELECT c.id, c.status, c.delivered_at, c.read_at FROM campaigns_contact c JOIN fix USING (id);
ANALYZE was;

UPDATE campaigns_contact c
SET status = f.status, sent_at = f.sent_at, delivered_at = f.delivered_at, read_at = f.read_at,
    failed_at = f.failed_at, error_message = f.error_message
FROM fix f
WHERE f.id = c.id;

INSERT INTO campaigns_log (id, log_type, severity, message, details, created_at, campaign_id,
                           campaign_contact_id, contact_id, instance_id, tenant_id)
SELECT gen_random_uuid(), t.log_type, t.severity,
       t.words || k.name || CASE WHEN t.log_type = 'message_failed' THEN ': ' || f.error_message ELSE '' END,
       jsonb_build_object('contact_id', k.id, 'contact_phone', k.phone,
                          'whatsapp_message_id', c.whatsapp_message_id,
                          t.time_name, to_char(t.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                          'source', 'reconcile', 'run', '20261101T030000.000Z-00000000',
                          'cause', f.cause, 'evidence', f.evidence)
           || CASE WHEN t.log_type = 'message_failed' THEN jsonb_build_object('error', f.error_message)
              ELSE '{}' END,
       now(), c.campaign_id, c.id, c.contact_id, c.instance_used_id, p.tenant_id
FROM fix f
JOIN was w USING (id)
JOIN campaigns_contact c USING (id)
JOIN contacts_contact k ON k.id = c.contact_id
JOIN campaigns_campaign p ON p.id = c.campaign_id
CROSS JOIN LATERAL (VALUES
    ('message_delivered', 'info', 'Mensagem entregue para ', 'delivered_at', f.delivered_at,
     (f.delivered_at IS NOT NULL OR f.status IN ('delivered', 'read'))
     AND NOT (w.delivered_at IS NOT NULL OR w.status IN ('delivered', 'read'))),
    ('message_read', 'info', 'Mensagem lida por ', 'read_at', f.read_at,
     (f.read_at IS NOT NULL OR f.status = 'read') AND NOT (w.read_at IS NOT NULL OR w.status = 'read')),
    ('message_failed', 'error', 'Falha ao enviar para ', 'failed_at', f.failed_at,
     f.status = 'failed' AND w.status <> 'failed')
) AS t (log_type, severity, words, time_name, at, wanted)
WHERE t.wanted
  AND NOT EXISTS (SELECT FROM campaigns_log l
                  WHERE l.campaign_contact_id = c.id AND l.log_type = t.log_type);

UPDATE contacts_contact k
SET last_interaction_date = greatest(k.last_interaction_date, r.at)
FROM (SELECT c.contact_id, max(f.read_at) AS at
      FROM fix f JOIN was w USING (id) JOIN campaigns_contact c USING (id)
      WHERE f.read_at IS NOT NULL AND f.exact_read AND w.read_at IS NULL AND w.status <> 'read'
      GROUP BY c.contact_id) r
WHERE k.id = r.contact_id AND (k.last_interaction_date IS NULL OR k.last_interaction_date < r.at);

UPDATE campaigns_campaign p
SET messages_sent = k.sent, messages_delivered = k.delivered, messages_read = k.read,
    messages_failed = k.failed
FROM (SELECT campaign_id,
             count(*) FILTER (WHERE sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read')) AS sent,
             count(*) FILTER (WHERE delivered_at IS NOT NULL OR status IN ('delivered', 'read')) AS delivered,
             count(*) FILTER (WHERE read_at IS NOT NULL OR status = 'read') AS read,
             count(*) FILTER (WHERE status = 'failed') AS failed
      FROM campaigns_contact
      GROUP BY campaign_id) k
WHERE k.campaign_id = p.id;
COMMIT;
