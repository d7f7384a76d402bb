/* completions - prints what a shell has to know to complete our command lines.
 *
 * usage: completions bash|zsh replay|reconcile
 *
 * Made at build time of the one table of options (lib/options.c), so that
 * there is no list of them to be kept up to date.
 */
#include "buf.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

/* What may stand where a value is wanted. */
enum values { NOTHING, WORDS, FILES, DIRECTORIES, ZONES };

static enum values values_of(const struct opt *o)
{
    switch (o->kind) {
    case OPT_CHOICE:
        return WORDS;
    case OPT_FILE:
    case OPT_DISK_FILE:
    case OPT_FILE_LIST:
        return FILES;
    case OPT_TEXT:
        return strcmp(o->argument, "ZONE") == 0   ? ZONES
               : strcmp(o->argument, "FILE") == 0 ? FILES
               : strcmp(o->argument, "DIR") == 0  ? DIRECTORIES
                                                  : NOTHING;
    case OPT_FLAG:
    case OPT_STOP:
    case OPT_TIME:
    case OPT_LIST:
    case OPT_AGE:
    case OPT_SECONDS:
    case OPT_MILLISECONDS:
    case OPT_NUMBER:
    case OPT_SIZE:
    case OPT_LIMIT:
        break;
    }
    return NOTHING;
}

static bool is_of(const struct opt *o, enum tool tool)
{
    return o->name && (o->tools & TOOL_BIT(tool));
}

/* "poll" of "reconcile poll"; NULL for a tool that is no command of another. */
static const char *command_of(enum tool tool)
{
    const char *blank = strchr(tool_name(tool), ' ');

    return blank ? blank + 1 : NULL;
}

/* "ARCHIVE..." of "Usage: replay [options] ARCHIVE...", written to name without
 * its dots; false where the tool takes no operand. */
static bool operand_of(enum tool tool, char *name, size_t size)
{
    static const char before[] = "[options] ";
    struct buf help = BUF_INIT;
    const char *line, *word;
    size_t n = 0;

    options_help(tool, &help);
    line = buf_str(&help);
    word = strstr(line, before);
    if (word && word < strchr(line, '\n')) {
        word += sizeof before - 1;
        n = strcspn(word, ". \n");
        (void)snprintf(name, size, "%.*s", (int)n, word);
    }
    buf_release(&help);
    return n > 0;
}

/* The words of "a|b|c", each after a blank. */
static void put_words(const char *choices)
{
    for (const char *c = choices; *c; c++) {
        if (c == choices)
            (void)putchar(' ');
        (void)putchar(*c == '|' ? ' ' : *c);
    }
}

/* ---- bash ----------------------------------------------------------------- */

/* P stands for the program's name. */
static const char bash_head[] =
    "# bash completion of P. Made of the table of options by completions/main.c.\n"
    "\n"
    "# Sets cur, and value_of to the option whose value it is or begins, or to the \"--\"\n"
    "# that ended the options.\n"
    "_P_words()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} earlier\n"
    "\n"
    "    cur=$word value_of=--\n"
    "    for earlier in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
    "        [[ $earlier == -- ]] && return\n"
    "    done\n"
    "    value_of=''\n"
    "    if [[ $word == = ]]; then\n" /* --name=, as "=" parts words */
    "        cur='' value_of=$before\n"
    "    elif [[ $before == = ]] && ((COMP_CWORD > 1)); then\n"
    "        value_of=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    elif [[ $before == -* ]]; then\n"
    "        value_of=$before\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Offers what compgen finds.\n"
    "_P_offer()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(compgen \"$@\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "_P_files()\n"
    "{\n"
    "    compopt -o filenames\n"
    "    _P_offer \"$@\"\n"
    "}\n"
    "\n"
    "_P_zones()\n"
    "{\n"
    "    local table=/usr/share/zoneinfo/zone.tab\n"
    "\n"
    "    _P_offer -W \"UTC $(sed '/^#/d' \"$table\" 2>/dev/null | cut -f 3)\"\n"
    "}\n";

static void put_head(const char *program)
{
    for (const char *c = bash_head; *c; c++)
        if (*c == 'P' && (c[-1] == ' ' || c[-1] == '_') && (c[1] == '_' || c[1] == '.'))
            (void)printf("%s", program);
        else
            (void)putchar(*c);
}

/* The branch of a case for the value of an option. */
static void bash_value(const struct opt *o, const char *program)
{
    (void)printf("    ");
    if (o->letter)
        (void)printf("-%c | ", o->letter);
    (void)printf("--%s) ", o->name);
    switch (values_of(o)) {
    case NOTHING:
        break;
    case WORDS:
        (void)printf("_%s_offer -W '", program);
        put_words(o->argument);
        (void)printf("' ");
        break;
    case FILES:
        (void)printf("_%s_files -f ", program);
        break;
    case DIRECTORIES:
        (void)printf("_%s_files -d ", program);
        break;
    case ZONES:
        (void)printf("_%s_zones ", program);
        break;
    }
    (void)printf(";;\n");
}

/* A function that completes one tool's options and operands. */
static void bash_tool(enum tool tool, const char *function, const char *program)
{
    const struct opt_table *t = options_table();
    char operand[64];
    bool operands = operand_of(tool, operand, sizeof operand);

    (void)printf("\n%s()\n{\n    case $value_of in\n", function);
    for (size_t i = 0; i < t->n; i++)
        if (is_of(&t->opt[i], tool) && t->opt[i].argument)
            bash_value(&t->opt[i], program);
    if (operands)
        (void)printf("    --) _%s_files -f ;;\n", program);
    else
        (void)printf("    --) ;;\n");
    (void)printf("    *)\n        case $cur in\n        -*) _%s_offer -W '", program);
    for (size_t i = 0; i < t->n; i++)
        if (is_of(&t->opt[i], tool))
            (void)printf(" --%s", t->opt[i].name);
    (void)printf("' ;;\n");
    if (operands)
        (void)printf("        *) _%s_files -f ;;\n", program);
    (void)printf("        esac\n        ;;\n    esac\n}\n");
}

static void bash_commands(void)
{
    char function[64];

    for (enum tool t = 0; t < TOOL_RECONCILE; t++)
        if (command_of(t)) {
            (void)snprintf(function, sizeof function, "_reconcile_%s", command_of(t));
            bash_tool(t, function, "reconcile");
        }
    (void)printf("\n_reconcile()\n{\n    local cur value_of\n\n    COMPREPLY=()\n"
                 "    _reconcile_words\n"
                 "    if ((COMP_CWORD == 1)); then\n"
                 "        _reconcile_offer -W '");
    for (enum tool t = 0; t < TOOL_RECONCILE; t++)
        if (command_of(t))
            (void)printf(" %s", command_of(t));
    (void)printf(" --help --version'\n        return\n    fi\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (enum tool t = 0; t < TOOL_RECONCILE; t++)
        if (command_of(t))
            (void)printf("    %s) _reconcile_%s ;;\n", command_of(t), command_of(t));
    (void)printf("    esac\n}\n\ncomplete -F _reconcile reconcile\n");
}

static void bash(const char *program)
{
    put_head(program);
    if (strcmp(program, "reconcile") == 0) {
        bash_commands();
        return;
    }
    bash_tool(TOOL_REPLAY, "_replay_options", program);
    (void)printf("\n_replay()\n{\n    local cur value_of\n\n    COMPREPLY=()\n"
                 "    _replay_words\n    _replay_options\n}\n\ncomplete -F _replay replay\n");
}

/* ---- zsh ------------------------------------------------------------------ */

/* Text of a specification of _arguments, within single quotes. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            (void)putchar('\\');
        if (*text == '\'')
            (void)printf("'\\''");
        else
            (void)putchar(*text);
    }
}

static void zsh_value(const struct opt *o)
{
    static const char *const action[] = {
        [NOTHING] = " ", [FILES] = "_files", [DIRECTORIES] = "_files -/", [ZONES] = "_time_zone"};
    enum values v = values_of(o);

    (void)putchar(':');
    zsh_text(o->argument);
    (void)putchar(':');
    if (v == WORDS) {
        (void)putchar('(');
        put_words(o->argument);
        (void)putchar(')');
    } else {
        (void)printf("%s", action[v]);
    }
}

/* One or two specifications: '--name=[help]:VALUE:action', and that of the letter. */
static void zsh_option(const struct opt *o)
{
    bool again = o->kind == OPT_LIST || o->kind == OPT_FILE_LIST;

    const int forms = o->letter ? 2 : 1;

    for (int letter = 0; letter < forms; letter++) {
        (void)printf(" \\\n        '");
        if (again)
            (void)putchar('*');
        else if (o->letter)
            (void)printf("(-%c --%s)", o->letter, o->name);
        if (letter)
            (void)printf("-%c%s[", o->letter, o->argument ? "+" : "");
        else
            (void)printf("--%s%s[", o->name, o->argument ? "=" : "");
        zsh_text(o->help);
        (void)putchar(']');
        if (o->argument)
            zsh_value(o);
        (void)putchar('\'');
    }
}

static void zsh_tool(enum tool tool)
{
    const struct opt_table *t = options_table();
    char operand[64];

    (void)printf("_arguments -s -S");
    for (size_t i = 0; i < t->n; i++)
        if (is_of(&t->opt[i], tool))
            zsh_option(&t->opt[i]);
    if (operand_of(tool, operand, sizeof operand))
        (void)printf(" \\\n        '*:%s:_files'", operand);
    (void)printf("\n");
}

static void zsh(const char *program)
{
    (void)printf("#compdef %s\n# Made of the table of options by completions/main.c.\n\n", program);
    if (strcmp(program, "reconcile") != 0) {
        zsh_tool(TOOL_REPLAY);
        return;
    }
    (void)printf("local context state line\n\n_arguments -C "
                 "'(- *)--help[print a summary, and end]' "
                 "'(- *)--version[print versions, and end]' \\\n    '1:command:(");
    for (enum tool t = 0; t < TOOL_RECONCILE; t++)
        if (command_of(t))
            (void)printf(" %s", command_of(t));
    (void)printf(")' '*::argument:->arguments'\n[[ $state == arguments ]] || return\n"
                 "case $line[1] in\n");
    for (enum tool t = 0; t < TOOL_RECONCILE; t++)
        if (command_of(t)) {
            (void)printf("%s)\n    ", command_of(t));
            zsh_tool(t);
            (void)printf("    ;;\n");
        }
    (void)printf("esac\n");
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[2], "replay") != 0 && strcmp(argv[2], "reconcile") != 0) ||
        (strcmp(argv[1], "bash") != 0 && strcmp(argv[1], "zsh") != 0)) {
        (void)fprintf(stderr, "usage: completions bash|zsh replay|reconcile\n");
        return 2;
    }
    if (strcmp(argv[1], "bash") == 0)
        bash(argv[2]);
    else
        zsh(argv[2]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("completions");
        return 1;
    }
    return 0;
}
