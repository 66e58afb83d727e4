/* Adds one to the largest int: UndefinedBehaviorSanitizer must see it. */
#include <limits.h>

int main(void)
{
	volatile int number = INT_MAX;
	number = number + 1;
	return number == 0;
}
