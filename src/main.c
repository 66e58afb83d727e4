#include <stdio.h>

int main(void)
{
	(void)puts("tools-dashboard");
	return 0;
}
