/* Tells systemd how the service is (the protocol of sd_notify(3): a datagram to NOTIFY_SOCKET). */
#ifndef TD_SERVICE_NOTIFY_H
#define TD_SERVICE_NOTIFY_H

#include <stdint.h>

struct notify {
	const char *socket;       /* NULL: nobody listens; borrowed from the environment */
	uint64_t watchdog_ms;     /* how often WATCHDOG=1 is due; 0: never */
	uint64_t watchdog_due_ms; /* monotonic */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
struct notify notify_open(const char *const *environment);

/* "READY=1\nSTATUS=…". Never waits; a failure is nobody's concern. */
void notify_send(const struct notify *notify, const char *text);

/* Sends WATCHDOG=1 when it is due. */
void notify_watchdog(struct notify *notify, uint64_t now_ms);

#endif
