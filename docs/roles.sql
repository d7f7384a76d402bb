-- Two roles for the tools, and exactly the rights that they need, on either naming
-- of the application's tables and with either kind of ids. By the owner of the
-- tables, or a superuser, in the application's database; again after an upgrade of
-- either side:
--
--     psql -d DATABASE -v reader=reconcile_read -v writer=reconcile_write -f roles.sql
--
-- reader: dry runs, audits, plans, rehearsals; on a standby too.
-- writer: --apply, apply and revert; it is a member of reader. More, as asked for:
--     -v fix_total=1   --fix-total
--     -v health=1      --instance-health
--     -v lag=1         --max-lag, which needs pg_read_all_stats (superuser)
-- Passwords are yours to set: \password reconcile_write

\set ON_ERROR_STOP on
\if :{?reader} \else \set reader reconcile_read \endif
\if :{?writer} \else \set writer reconcile_write \endif
\if :{?fix_total} \else \set fix_total 0 \endif
\if :{?health} \else \set health 0 \endif
\if :{?lag} \else \set lag 0 \endif

BEGIN;

SELECT set_config('reconcile.reader', :'reader', true) AS reader,
       set_config('reconcile.writer', :'writer', true) AS writer,
       set_config('reconcile.fix_total', :'fix_total', true) AS fix_total,
       set_config('reconcile.health', :'health', true) AS health,
       set_config('reconcile.lag', :'lag', true) AS lag;

DO $$
DECLARE
    reader name := current_setting('reconcile.reader');
    writer name := current_setting('reconcile.writer');
    wanted record;
    grantee name;
    rel regclass;
    col name;
    seq text;
BEGIN
    FOREACH grantee IN ARRAY ARRAY[reader, writer] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = grantee) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', grantee);
        END IF;
    END LOOP;
    EXECUTE format('GRANT %I TO %I', reader, writer);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), reader);
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), writer);

    -- A table goes by one of two names, and lacks some of the columns: what is
    -- not there needs no right.
    FOR wanted IN
        SELECT w.*
        FROM (VALUES
            (reader, 'SELECT', '{campaigns_campaign}'::text[],
             '{id,tenant_id,name,total_contacts,
               sent_count,delivered_count,read_count,failed_count,
               messages_sent,messages_delivered,messages_read,messages_failed}'::name[], true),
            (reader, 'SELECT', '{campaigns_campaigncontact,campaigns_contact}',
             '{id,campaign_id,instance_used_id,whatsapp_message_id,status,created_at,
               sent_at,delivered_at,read_at,failed_at,error_message}', true),
            (reader, 'SELECT', '{notifications_whatsappinstance,notifications_whatsapp_instance}',
             '{id,tenant_id,instance_name,evolution_instance_name,integration_type,is_active}', true),
            (reader, 'SELECT', '{campaigns_campaignlog,campaigns_log}',
             '{log_type,created_at,campaign_id,campaign_contact_id,instance_id}', true),
            (reader, 'SELECT', '{campaigns_campaign_instances}',
             '{campaign_id,whatsappinstance_id}', true),

            (writer, 'UPDATE', '{campaigns_campaigncontact,campaigns_contact}',
             '{status,sent_at,delivered_at,read_at,failed_at,error_message}', true),
            (writer, 'SELECT', '{campaigns_campaigncontact,campaigns_contact}', '{contact_id}', true),
            (writer, 'UPDATE', '{campaigns_campaign}',
             '{sent_count,delivered_count,read_count,failed_count,
               messages_sent,messages_delivered,messages_read,messages_failed}', true),
            (writer, 'UPDATE', '{campaigns_campaign}', '{total_contacts}',
             current_setting('reconcile.fix_total')::boolean),
            (writer, 'INSERT', '{campaigns_campaignlog,campaigns_log}',
             '{id,log_type,severity,message,details,created_at,
               campaign_id,campaign_contact_id,contact_id,instance_id,tenant_id}', true),
            (writer, 'SELECT', '{contacts_contact}', '{id,name,phone,last_interaction_date}', true),
            (writer, 'UPDATE', '{contacts_contact}', '{last_interaction_date}', true),
            (writer, 'SELECT', '{notifications_whatsappinstance,notifications_whatsapp_instance}',
             '{msgs_sent_today,msgs_delivered_today,msgs_read_today,msgs_failed_today,
               health_score,health_last_reset}', current_setting('reconcile.health')::boolean),
            (writer, 'UPDATE', '{notifications_whatsappinstance,notifications_whatsapp_instance}',
             '{msgs_sent_today,msgs_delivered_today,msgs_read_today,msgs_failed_today,
               health_score,health_last_reset}', current_setting('reconcile.health')::boolean)
        ) AS w (role, privilege, tables, columns, asked_for)
        WHERE w.asked_for
    LOOP
        FOR rel IN
            SELECT to_regclass(t) FROM unnest(wanted.tables) AS t WHERE to_regclass(t) IS NOT NULL
        LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', -- quoted by regnamespace
                           (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = rel), reader);
            FOR col IN
                SELECT attname FROM pg_attribute
                WHERE attrelid = rel AND attname = ANY (wanted.columns)
                  AND attnum > 0 AND NOT attisdropped
            LOOP
                EXECUTE format('GRANT %s (%I) ON %s TO %I', wanted.privilege, col, rel, wanted.role);
            END LOOP;
            -- log rows with integer ids take them from the column's default
            seq := CASE WHEN wanted.privilege = 'INSERT' THEN pg_get_serial_sequence(rel::text, 'id') END;
            IF seq IS NOT NULL THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', seq, writer);
            END IF;
        END LOOP;
    END LOOP;

    IF current_setting('reconcile.lag')::boolean THEN
        EXECUTE format('GRANT pg_read_all_stats TO %I', writer);
    END IF;
END
$$;

COMMIT;
