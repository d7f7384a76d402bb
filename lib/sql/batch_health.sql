-- Adds to the counters of the day of the instances that sent rows $1 of the batch
-- what happened today, $2 <= t < $3, which is the date $4; before that, rolls the
-- day over as the application does. One whose day has come after that is left alone.
-- In psql: \set contacts public.campaigns_contact
--          \set instances public.notifications_whatsapp_instance
--          "PREPARE q(uuid[], timestamptz, timestamptz, text) AS", this file, then
--          EXECUTE q('{...}', '2026-11-01 03:00Z', '2026-11-02 03:00Z', '2026-11-01');
WITH fresh AS (
    SELECT c.instance_used_id AS id,
           count(*) FILTER (WHERE b.exact & 1 <> 0 AND b.new_delivered_at >= $2
                              AND b.new_delivered_at < $3) AS delivered,
           count(*) FILTER (WHERE b.exact & 2 <> 0 AND b.new_read_at >= $2
                              AND b.new_read_at < $3) AS read,
           count(*) FILTER (WHERE b.exact & 4 <> 0 AND b.new_failed_at >= $2
                              AND b.new_failed_at < $3) AS failed
    FROM unnest($1) AS w (id)
    JOIN pg_temp.reconcile_batch b ON b.id = w.id
    JOIN :contacts c ON c.id = b.id
    WHERE c.instance_used_id IS NOT NULL
    GROUP BY c.instance_used_id
), locked AS MATERIALIZED (
    SELECT i.id
    FROM :instances i
    JOIN fresh f ON f.id = i.id
    WHERE (f.delivered > 0 OR f.read > 0 OR f.failed > 0)
      AND (i.health_last_reset IS NULL OR i.health_last_reset <= $4::date)
    ORDER BY i.id
    FOR NO KEY UPDATE OF i
)
UPDATE :instances i
SET msgs_sent_today = CASE WHEN i.health_last_reset = $4::date THEN i.msgs_sent_today ELSE 0 END,
    msgs_delivered_today = f.delivered
        + CASE WHEN i.health_last_reset = $4::date THEN i.msgs_delivered_today ELSE 0 END,
    msgs_read_today = f.read
        + CASE WHEN i.health_last_reset = $4::date THEN i.msgs_read_today ELSE 0 END,
    msgs_failed_today = f.failed
        + CASE WHEN i.health_last_reset = $4::date THEN i.msgs_failed_today ELSE 0 END,
    health_score = CASE WHEN i.health_last_reset = $4::date THEN i.health_score
                        ELSE least(100, i.health_score + 10) END,
    health_last_reset = $4::date
FROM fresh f
JOIN locked l ON l.id = f.id
WHERE i.id = f.id
