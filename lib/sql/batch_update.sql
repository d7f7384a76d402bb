-- Locks and writes the rows of the batch that still hold the expected values,
-- passing over those that somebody else has. Says which, of which contact and
-- sent by which instance; whether the row as written counts as read but not as
-- delivered, or as delivered but not as sent, which no row may; and whether it
-- holds what it was given, which a trigger may change. updated_at is not ours to
-- touch. Rows of neighbouring contacts come together, as they lie in the indexes.
-- In psql: \set contacts public.campaigns_contact
--          \set person_ref c.contact_id
--          "PREPARE q(boolean) AS", this file, then EXECUTE q(false);
UPDATE :contacts c
SET status = b.new_status,
    sent_at = b.new_sent_at,
    delivered_at = b.new_delivered_at,
    read_at = b.new_read_at,
    failed_at = b.new_failed_at,
    error_message = b.new_error
FROM (
    SELECT b.*
    FROM pg_temp.reconcile_batch b
    JOIN :contacts c ON c.id = b.id
    WHERE b.again = $1
      AND c.campaign_id IS NOT DISTINCT FROM b.campaign_id
      AND c.whatsapp_message_id IS NOT DISTINCT FROM b.message_id
      AND c.status IS NOT DISTINCT FROM b.old_status
      AND c.sent_at IS NOT DISTINCT FROM b.old_sent_at
      AND c.delivered_at IS NOT DISTINCT FROM b.old_delivered_at
      AND c.read_at IS NOT DISTINCT FROM b.old_read_at
      AND c.failed_at IS NOT DISTINCT FROM b.old_failed_at
      AND c.error_message IS NOT DISTINCT FROM b.old_error
    ORDER BY :person_ref
    FOR NO KEY UPDATE OF c SKIP LOCKED
) b
WHERE c.id = b.id
RETURNING b.n, :person_ref, c.instance_used_id,
    (c.read_at IS NOT NULL OR c.status = 'read')
        AND NOT (c.delivered_at IS NOT NULL OR c.status IN ('delivered', 'read'))
    OR (c.delivered_at IS NOT NULL OR c.status IN ('delivered', 'read'))
        AND NOT (c.sent_at IS NOT NULL OR c.status IN ('sent', 'delivered', 'read')),
    (c.status, c.sent_at, c.delivered_at, c.read_at, c.failed_at, c.error_message)
        IS NOT DISTINCT FROM
    (b.new_status, b.new_sent_at, b.new_delivered_at, b.new_read_at, b.new_failed_at, b.new_error)
