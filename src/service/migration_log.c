#include "service/migration_log.h"

#include "base/log.h"

void migration_log(void *ctx, const struct migrate_event *event)
{
	(void)ctx;
	char text[MIGRATE_EVENT_TEXT_SIZE];
	migrate_event_text(event, text);
	td_log(TD_LOG_INFO, "migrate", "%s", text);
}
