"""The tables a run looks at, read from a database or written into one."""

import json

from oracle import database as model
from oracle import decide, times

_MICROS = "(extract(epoch FROM %s) * 1000000)::bigint AS %s"
LONG_AGO = "2020-01-01T00:00:00Z"


def read(db):
    """A database -> oracle Tables."""
    names = db.naming
    moments = ", ".join(_MICROS % (t, t) for t in decide.TIMES)
    counters = ", ".join("%s AS %s" % (column, name) for name, column in names.counters.items())
    return model.Tables(
        db.rows("SELECT id, tenant_id, instance_name, evolution_instance_name FROM %s ORDER BY id"
                % names.instance),
        db.rows("SELECT id, tenant_id, name, %s FROM %s ORDER BY id" % (counters, names.campaign)),
        db.rows("SELECT id, campaign_id, status, %s, error_message, whatsapp_message_id,"
                " instance_used_id FROM %s ORDER BY id" % (moments, names.row)))


def _insert(table, rows, defaults):
    """One INSERT for rows given as dicts; the column types come from the table."""
    if not rows:
        return ""
    rows = [dict(defaults, **row) for row in rows]
    columns = sorted(rows[0])
    text = json.dumps(rows).replace("'", "''")
    return ("INSERT INTO {0} ({1}) SELECT {1} FROM json_populate_recordset(NULL::{0}, '{2}');\n"
            .format(table, ", ".join(columns), text))


def write(naming, tenants, tables, first=0):
    """SQL that fills a database with tenants (ids) and oracle Tables; telephones count from first."""
    stamps = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    zeroes = dict.fromkeys(
        ("health_score", "msgs_sent_today", "msgs_delivered_today", "msgs_read_today",
         "msgs_failed_today", "consecutive_errors", "delay_min_seconds", "delay_max_seconds"), 0)
    sql = _insert("tenancy_tenant", [{"id": i, "name": "T"} for i in tenants],
                  dict(stamps, status="active", ui_access=True,
                       allow_meta_interactive_buttons=True))
    sql += _insert(naming.instance, tables.instances, dict(
        stamps, **zeroes, friendly_name="I", phone_number="", qr_code="", connection_state="open",
        status="active", last_error="", is_active=True, is_default=False,
        last_health_update=LONG_AGO, integration_type="evolution"))
    campaigns = []
    for campaign in tables.campaigns:
        row = {k: v for k, v in campaign.items() if k not in naming.counters}
        row.update((column, campaign[name]) for name, column in naming.counters.items())
        campaigns.append(row)
    sql += _insert(naming.campaign, campaigns, dict(
        stamps, rotation_mode="round_robin", interval_min=1, interval_max=2,
        daily_limit_per_instance=9, pause_on_health_below=0, status="completed",
        current_instance_index=0))
    rows, contacts = [], []
    tenant_of = {c["id"]: c["tenant_id"] for c in tables.campaigns}
    for number, given in enumerate(tables.rows, first):
        contacts.append({"id": given["id"], "phone": str(number), "name": "Pessoa %d" % number,
                         "tenant_id": tenant_of[given["campaign_id"]]})
        row = dict(given, contact_id=given["id"])
        row.update((t, times.show(given[t])) for t in decide.TIMES)
        rows.append(row)
    sql += _insert("contacts_contact", contacts, dict(
        stamps, country="BR", total_purchases=0, average_ticket=0, lifetime_value=0,
        total_messages_received=0, total_messages_sent=0, total_campaigns_participated=0,
        total_campaigns_responded=0, notes="", custom_fields={}, is_active=True,
        opted_out=False, source="x"))
    sql += _insert(naming.row, rows, dict(stamps, retry_count=0))
    return "BEGIN;\n" + sql + "COMMIT;\n"
