/* Hands over to the table of commands. */
#include "command/command.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	return command_main(argc, argv, environ);
}
