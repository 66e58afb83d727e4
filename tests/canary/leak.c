/* Loses a block: LeakSanitizer must end the process with an error. */
#include "base/alloc.h"

#include <string.h>

static void lose(void)
{
	char *volatile block = td_alloc(100);
	if (block != NULL)
		memset(block, 1, 100);
	block = NULL;
}

int main(void)
{
	lose();
	/* Over the stack and the registers where the address may still stand. */
	volatile char other[4096];
	for (unsigned i = 0; i < sizeof(other); i++)
		other[i] = 0;
	return other[7];
}
