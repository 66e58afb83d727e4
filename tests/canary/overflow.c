/* Writes one byte behind a piece of an arena: AddressSanitizer must see it. */
#include "base/arena.h"

int main(void)
{
	struct td_arena a = TD_ARENA_INIT;
	volatile size_t len = 13;
	char *volatile piece = td_arena_alloc(&a, len);
	if (piece != NULL)
		piece[len] = 'x';
	td_arena_done(&a);
	return 0;
}
