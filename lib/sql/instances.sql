-- All instances. :evolution_instance_name is that column, or NULL::text where
-- the table has none.
-- In psql: \set instances public.notifications_whatsapp_instance
--          \set evolution_instance_name evolution_instance_name
SELECT id, tenant_id, instance_name, :evolution_instance_name
FROM :instances
