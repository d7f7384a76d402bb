-- Adds to the counters of a campaign that is locked, between the two recounts of
-- one that is larger than a batch.
-- In psql: \set campaigns public.campaigns_campaign
--          \set sent_count messages_sent
--          \set delivered_count messages_delivered
--          \set read_count messages_read
--          \set failed_count messages_failed
--          "PREPARE q(uuid, bigint, bigint, bigint, bigint) AS", this file, then
--          EXECUTE q('...', 0, 4, 2, 0);
UPDATE :campaigns
SET :sent_count = :sent_count + $2,
    :delivered_count = :delivered_count + $3,
    :read_count = :read_count + $4,
    :failed_count = :failed_count + $5
WHERE id = $1
