-- Counts campaigns that are locked, and writes the counters that differ; says
-- all counts, which were written, and which campaigns hold their counts now, as a
-- trigger may change or suppress what is written. A statement of its own after the
-- locks: so it sees whatever was committed before they were ours.
-- In psql: \set contacts public.campaigns_contact
--          \set campaigns public.campaigns_campaign
--          \set sent_count messages_sent
--          \set delivered_count messages_delivered
--          \set read_count messages_read
--          \set failed_count messages_failed
--          \set set_total ''
--          \set total_differs false
--   or     \set set_total 'total_contacts = k.total,'
--          \set total_differs 'p.total_contacts IS DISTINCT FROM k.total'
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
WITH counted AS (
    SELECT i.id, coalesce(r.total, 0) AS total, coalesce(r.sent, 0) AS sent,
           coalesce(r.delivered, 0) AS delivered, coalesce(r.read, 0) AS read,
           coalesce(r.failed, 0) AS failed
    FROM unnest($1) AS i (id)
    LEFT JOIN (
        SELECT campaign_id,
               count(*) AS total,
               count(*) FILTER (WHERE sent_at IS NOT NULL
                                   OR status IN ('sent', 'delivered', 'read')) AS sent,
               count(*) FILTER (WHERE delivered_at IS NOT NULL
                                   OR status IN ('delivered', 'read')) AS delivered,
               count(*) FILTER (WHERE read_at IS NOT NULL OR status = 'read') AS read,
               count(*) FILTER (WHERE status = 'failed') AS failed
        FROM :contacts
        WHERE campaign_id = ANY ($1)
        GROUP BY campaign_id
    ) r ON r.campaign_id = i.id
), written AS (
    UPDATE :campaigns p
    SET :set_total
        :sent_count = k.sent,
        :delivered_count = k.delivered,
        :read_count = k.read,
        :failed_count = k.failed
    FROM counted k
    WHERE p.id = k.id
      AND (p.:sent_count IS DISTINCT FROM k.sent
           OR p.:delivered_count IS DISTINCT FROM k.delivered
           OR p.:read_count IS DISTINCT FROM k.read
           OR p.:failed_count IS DISTINCT FROM k.failed
           OR :total_differs)
    RETURNING p.id, p.:sent_count = k.sent AND p.:delivered_count = k.delivered
                    AND p.:read_count = k.read AND p.:failed_count = k.failed
                    AND NOT (:total_differs) AS holds
)
SELECT k.id, k.total, k.sent, k.delivered, k.read, k.failed, w.id IS NOT NULL,
       CASE WHEN w.id IS NOT NULL THEN w.holds
            ELSE p.id IS NULL
                 OR p.:sent_count = k.sent AND p.:delivered_count = k.delivered
                    AND p.:read_count = k.read AND p.:failed_count = k.failed
                    AND NOT (:total_differs) END
FROM counted k
LEFT JOIN written w ON w.id = k.id
LEFT JOIN :campaigns p ON p.id = k.id
