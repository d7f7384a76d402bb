#include "status.h"

static const char *const milestone_names[M_COUNT] = {"sent", "delivered", "read", "failed"};
static const char *const row_status_names[] = {"pending", "sending", "sent", "delivered",
                                               "read",    "failed",  ""};

const char *milestone_name(enum milestone m)
{
    return milestone_names[m];
}

const char *row_status_name(enum row_status s)
{
    return row_status_names[s];
}

enum row_status row_status_read(struct slice name)
{
    int s;

    for (s = ROW_PENDING; s < ROW_UNKNOWN; s++) {
        if (slice_is(name, row_status_names[s]))
            return (enum row_status)s;
    }
    return ROW_UNKNOWN;
}

static bool same_word(struct slice word, const char *upper)
{
    size_t i;

    for (i = 0; i < word.n; i++) {
        char c = word.p[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (upper[i] == '\0' || c != upper[i])
            return false;
    }
    return upper[i] == '\0';
}

enum status_meaning status_of_word(struct slice word)
{
    static const struct {
        const char *word;
        enum status_meaning meaning;
    } words[] = {
        {"DELIVERY_ACK", MEANS_DELIVERED},
        {"READ", MEANS_READ},
        {"SERVER_ACK", MEANS_SENT},
        {"PLAYED", MEANS_READ},
        {"ERROR", MEANS_FAILED},
        {"PENDING", MEANS_PENDING},
        {"SENT", MEANS_SENT},
        {"DELIVERED", MEANS_DELIVERED},
        {"FAILED", MEANS_FAILED},
        {"READ_ACK", MEANS_READ},
        {"DELETED", MEANS_NOTHING},
    };
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (same_word(word, words[i].word))
            return words[i].meaning;
    }
    return MEANS_UNKNOWN;
}

enum status_meaning status_of_code(int64_t code, enum status_codes dialect)
{
    static const enum status_meaning app[] = {MEANS_FAILED, MEANS_PENDING, MEANS_DELIVERED,
                                              MEANS_READ};
    static const enum status_meaning baileys[] = {MEANS_FAILED,    MEANS_PENDING, MEANS_SENT,
                                                  MEANS_DELIVERED, MEANS_READ,    MEANS_READ};

    if (code < 0)
        return MEANS_UNKNOWN;
    if (dialect == CODES_APP)
        return code < 4 ? app[code] : MEANS_UNKNOWN;
    return code < 6 ? baileys[code] : MEANS_UNKNOWN;
}
