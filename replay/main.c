/* replay - fold webhook archives, and put the application's rows right. */
#include "tool_main.h"

int main(int argc, char **argv)
{
    return tool_main(TOOL_REPLAY, argc, argv);
}
