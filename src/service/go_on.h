/* Whether who waits for a database shall go on. */
#ifndef TD_SERVICE_GO_ON_H
#define TD_SERVICE_GO_ON_H

#include <stdbool.h>

/* Asked about every second; false: stop waiting. */
typedef bool service_go_on_fn(void *ctx);

#endif
