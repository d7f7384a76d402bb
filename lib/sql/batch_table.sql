-- The corrections of one batch: n (which correction), the row, the values it
-- must still hold, the values it gets; then what else it gives rise to: log rows
-- (a bit each: 1 delivered, 2 read, 4 failed), which of the milestones it makes
-- known have a time of their own (likewise), and what the log rows tell. again:
-- it was decided again within the transaction. Emptied by every COMMIT.
-- In psql: \set contact_id_type uuid
--          \set campaign_id_type uuid
CREATE TEMPORARY TABLE IF NOT EXISTS reconcile_batch (
    n integer NOT NULL,
    again boolean NOT NULL,
    id :contact_id_type NOT NULL,
    campaign_id :campaign_id_type NOT NULL,
    message_id text,
    old_status text NOT NULL,
    old_sent_at timestamptz,
    old_delivered_at timestamptz,
    old_read_at timestamptz,
    old_failed_at timestamptz,
    old_error text,
    new_status text NOT NULL,
    new_sent_at timestamptz,
    new_delivered_at timestamptz,
    new_read_at timestamptz,
    new_failed_at timestamptz,
    new_error text,
    logs smallint NOT NULL,
    exact smallint NOT NULL,
    cause text,
    evidence text
) ON COMMIT DELETE ROWS
