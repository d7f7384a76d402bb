-- All instances. What a table does not have stands as NULL::text for
-- evolution_instance_name, 'evolution' for integration_type, true for is_active.
-- In psql: \set instances public.notifications_whatsapp_instance
--          \set evolution_instance_name evolution_instance_name
--          \set integration_type integration_type
--          \set is_active is_active
SELECT id, tenant_id, instance_name, :evolution_instance_name,
       :integration_type = 'evolution', :is_active
FROM :instances
