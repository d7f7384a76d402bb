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

/* Are the bytes, upper case, those of `upper`, of as many? Most are upper case. */
static bool same_word(struct slice word, const char *upper)
{
    size_t i;

    if (memcmp(word.p, upper, word.n) == 0)
        return true;
    for (i = 0; i < word.n; i++) {
        char c = word.p[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != upper[i])
            return false;
    }
    return true;
}

enum status_meaning status_of_word(struct slice word)
{
    static const struct {
        char word[13];
        uint8_t n;
        enum status_meaning meaning;
    } words[] = {
        {"DELIVERY_ACK", 12, MEANS_DELIVERED},
        {"READ", 4, MEANS_READ},
        {"SERVER_ACK", 10, MEANS_SENT},
        {"PLAYED", 6, MEANS_READ},
        {"ERROR", 5, MEANS_FAILED},
        {"PENDING", 7, MEANS_PENDING},
        {"SENT", 4, MEANS_SENT},
        {"DELIVERED", 9, MEANS_DELIVERED},
        {"FAILED", 6, MEANS_FAILED},
        {"READ_ACK", 8, MEANS_READ},
        {"DELETED", 7, MEANS_NOTHING},
    };
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].n == word.n && same_word(word, words[i].word))
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
