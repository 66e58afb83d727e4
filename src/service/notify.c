#include "service/notify.h"

#include "service/log_sink.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t read_number(const char *text)
{
	char *end = NULL;
	errno = 0;
	unsigned long long number = text != NULL ? strtoull(text, &end, 10) : 0;
	return text == NULL || errno != 0 || end == text || *end != '\0' ? 0 : number;
}

struct notify notify_open(const char *const *environment)
{
	struct notify notify = {.socket = environment_get(environment, "NOTIFY_SOCKET")};
	uint64_t pid = read_number(environment_get(environment, "WATCHDOG_PID"));
	uint64_t period_us = read_number(environment_get(environment, "WATCHDOG_USEC"));
	if (pid == 0 || pid == (uint64_t)getpid())
		notify.watchdog_ms = period_us / 2000;
	return notify;
}

void notify_send(const struct notify *notify, const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = notify->socket != NULL ? strlen(notify->socket) : 0;
	if (len < 2 || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, notify->socket, len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

void notify_watchdog(struct notify *notify, uint64_t now_ms)
{
	if (notify->watchdog_ms == 0 || now_ms < notify->watchdog_due_ms)
		return;
	notify->watchdog_due_ms = now_ms + notify->watchdog_ms;
	notify_send(notify, "WATCHDOG=1");
}
