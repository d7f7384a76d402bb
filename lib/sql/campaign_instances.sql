-- Which instances a campaign may use.
-- In psql: \set campaign_instances public.campaigns_campaign_instances
SELECT campaign_id, whatsappinstance_id
FROM :campaign_instances
