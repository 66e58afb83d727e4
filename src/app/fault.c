#include "app/fault.h"

#include <string.h>

void app_faults_add(struct app_faults *faults, const char *pointer, const char *detail)
{
	if (faults->count == APP_FAULTS_MOST)
		return;
	faults->items[faults->count++] = (struct app_fault){pointer, detail};
}

bool app_faults_at(const struct app_faults *faults, const char *pointer)
{
	for (size_t i = 0; i < faults->count; i++) {
		if (strcmp(faults->items[i].pointer, pointer) == 0)
			return true;
	}
	return false;
}
