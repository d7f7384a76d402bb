/* tool_main.h - what the main functions of both tools share: options, help,
 * signals, exit status.
 */
#ifndef RECONCILE_TOOL_MAIN_H
#define RECONCILE_TOOL_MAIN_H

#include "options.h"

int tool_main(enum tool tool, int argc, char **argv);

#endif
