#include "service/migration_log.h"

#include "base/log.h"

void migration_log(void *ctx, const struct migrate_event *event)
{
	(void)ctx;
	char text[MIGRATE_EVENT_TEXT_SIZE];
	migrate_event_text(event, text);
	td_log(event->kind == MIGRATE_NEWER_DATABASE ? TD_LOG_WARNING : TD_LOG_INFO, "migrate",
		"%s", text);
}
