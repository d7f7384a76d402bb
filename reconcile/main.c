/* reconcile - put the application's rows right without archives. */
#include "tool_main.h"

int main(int argc, char **argv)
{
    return tool_main(TOOL_RECONCILE, argc, argv);
}
