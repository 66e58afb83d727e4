/* The start-up log's lines about migrations. */
#ifndef TD_SERVICE_MIGRATION_LOG_H
#define TD_SERVICE_MIGRATION_LOG_H

#include "migrate/migrate.h"

/* A migrate_observe_fn; ctx is not used. */
void migration_log(void *ctx, const struct migrate_event *event);

#endif
