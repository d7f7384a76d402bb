/* status.h - milestones, statuses and their names (docs/semantics.md 2, 5). */
#ifndef RECONCILE_STATUS_H
#define RECONCILE_STATUS_H

#include "slice.h"

#include <stdint.h>

/* What can be proven of a message, in the order in which reports list it. */
enum milestone { M_SENT, M_DELIVERED, M_READ, M_FAILED, M_COUNT };

#define M_BIT(m) ((uint8_t)(1u << (unsigned)(m)))
#define M_PENDING_BIT ((uint8_t)(1u << M_COUNT)) /* seen as pending, which proves nothing */

/* CampaignContact.status */
enum row_status {
    ROW_PENDING,
    ROW_SENDING,
    ROW_SENT,
    ROW_DELIVERED,
    ROW_READ,
    ROW_FAILED,
    ROW_UNKNOWN /* anything else: warned about, never corrected */
};

const char *milestone_name(enum milestone m);   /* "sent" */
const char *row_status_name(enum row_status s); /* "sent"; "" for ROW_UNKNOWN */
enum row_status row_status_read(struct slice name);

/* The numeric dialects of --status-codes. */
enum status_codes { CODES_APP, CODES_BAILEYS };

/* What one raw status of an update says. */
enum status_meaning {
    MEANS_SENT = M_SENT,
    MEANS_DELIVERED = M_DELIVERED,
    MEANS_READ = M_READ,
    MEANS_FAILED = M_FAILED,
    MEANS_PENDING = M_COUNT,
    MEANS_NOTHING, /* DELETED: counted ignored */
    MEANS_UNKNOWN
};

/* A word, ASCII case-insensitively; digits are not handled here. */
enum status_meaning status_of_word(struct slice word);

/* A number of integral value. */
enum status_meaning status_of_code(int64_t code, enum status_codes dialect);

#endif
