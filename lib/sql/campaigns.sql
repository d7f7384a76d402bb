-- All campaigns with their stored counters.
-- In psql: \set campaigns public.campaigns_campaign
--          \set sent_count messages_sent
--          \set delivered_count messages_delivered
--          \set read_count messages_read
--          \set failed_count messages_failed
SELECT id, tenant_id, name, total_contacts, :sent_count, :delivered_count, :read_count,
       :failed_count
FROM :campaigns
