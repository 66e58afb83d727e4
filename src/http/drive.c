#include "http/drive.h"

#include "http/internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

enum td_status http_drive_start(struct http_server *s, struct td_err *err)
{
	enum td_status status = http_tables_start(s, err);
	return status == TD_OK ? http_daemon_start(s, 0, err) : status;
}

void http_drive_connect(struct http_server *s, int fd)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(1)};
	struct http_address peer;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
		!http_address_of((struct sockaddr *)&sa, &peer)) {
		(void)close(fd);
		return;
	}
	(void)http_accept_hand_over(s, fd, &peer, &sa, sizeof(sa));
}

bool http_drive_run(struct http_server *s)
{
	(void)MHD_run(s->daemon);
	return atomic_load(&s->conns.count) > 0;
}
