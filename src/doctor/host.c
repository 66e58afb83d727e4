/* What can be wrong with the machine itself. */
#include "doctor/doctor_internal.h"

#include "base/clock.h"

#include <ifaddrs.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define MAP_COUNT_PATH  "/proc/sys/vm/max_map_count"
#define MAP_COUNT_LEAST 1048575
#define DISK_LITTLE     (512ull * 1024 * 1024)
#define DISK_NOTHING    (8ull * 1024 * 1024)
#define CLOCK_OFF_MS    2000
#define CLOCK_FIRST_MS  INT64_C(1704067200000) /* 2024: before it no version of this was there */

static void tell(
	struct doctor_check *check, enum doctor_status status, const char *cause, const char *fix)
{
	check->status = status;
	(void)snprintf(check->cause, sizeof(check->cause), "%s", cause);
	(void)snprintf(check->fix, sizeof(check->fix), "%s", fix);
}

/* ---- vm.max_map_count */

static bool same_network(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((a[i] ^ b[i]) & mask[i]) != 0)
			return false;
	}
	return true;
}

static bool shares_network(const struct ifaddrs *own, const struct sockaddr *other)
{
	if (own->ifa_addr == NULL || own->ifa_netmask == NULL ||
		own->ifa_addr->sa_family != other->sa_family)
		return false;
	if (other->sa_family == AF_INET) {
		const struct sockaddr_in *a = (const void *)own->ifa_addr;
		const struct sockaddr_in *b = (const void *)other;
		const struct sockaddr_in *mask = (const void *)own->ifa_netmask;
		return same_network((const void *)&a->sin_addr, (const void *)&b->sin_addr,
			(const void *)&mask->sin_addr, sizeof(a->sin_addr));
	}
	const struct sockaddr_in6 *a = (const void *)own->ifa_addr;
	const struct sockaddr_in6 *b = (const void *)other;
	const struct sockaddr_in6 *mask = (const void *)own->ifa_netmask;
	return other->sa_family == AF_INET6 &&
	       same_network((const void *)&a->sin6_addr, (const void *)&b->sin6_addr,
		       (const void *)&mask->sin6_addr, sizeof(a->sin6_addr));
}

/* An address of this machine, or of a network that it is attached to. */
static bool is_attached(const struct ifaddrs *own, const char *address)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *other = NULL;
	bool found = false;
	if (getaddrinfo(address, NULL, &hints, &other) != 0)
		return false;
	for (; own != NULL && !found; own = own->ifa_next)
		found = shares_network(own, other->ai_addr);
	freeaddrinfo(other);
	return found;
}

/* A service of the same stack that does not run has no address, and may well not run because of
 * this: then its name says where it belongs. */
static bool is_near(const struct doctor_target *t, const struct ifaddrs *own, bool in_container)
{
	for (size_t i = 0; i < t->addresses.count; i++) {
		if (is_attached(own, t->addresses.text[i]))
			return true;
	}
	return t->addresses.count == 0 && in_container && t->host != NULL &&
	       strchr(t->host->name, '.') == NULL;
}

static const struct doctor_target *find_near_cassandra(
	const struct doctor_target *targets, size_t count, bool in_container)
{
	struct ifaddrs *own = NULL;
	const struct doctor_target *found = NULL;
	if (getifaddrs(&own) != 0)
		own = NULL;
	for (size_t i = 0; i < count && found == NULL; i++) {
		if (targets[i].engine == &doctor_cassandra &&
			is_near(&targets[i], own, in_container))
			found = &targets[i];
	}
	if (own != NULL)
		freeifaddrs(own);
	return found;
}

/* -1: it cannot be read. */
static long read_map_count(void)
{
	FILE *file = fopen(MAP_COUNT_PATH, "re");
	char text[32] = "";
	if (file == NULL)
		return -1;
	bool read = fgets(text, sizeof(text), file) != NULL;
	(void)fclose(file);
	return read ? strtol(text, NULL, 10) : -1;
}

static void check_map_count(struct doctor_check *check, const struct doctor_target *near)
{
	if (near == NULL) {
		check->status = DOCTOR_SKIP;
		(void)snprintf(check->message, sizeof(check->message),
			"no contact point of Cassandra is on this machine or a network of it");
		return;
	}
	long count = read_map_count();
	(void)snprintf(check->message, sizeof(check->message), "vm.max_map_count is %ld", count);
	if (count < 0) {
		check->status = DOCTOR_SKIP;
		(void)snprintf(check->message, sizeof(check->message),
			"this system does not tell vm.max_map_count");
	} else if (count < MAP_COUNT_LEAST) {
		tell(check, DOCTOR_WARN,
			"Cassandra maps many files into memory, and ends or does not start where "
			"the kernel allows fewer than 1048575.",
			"On the machine that runs Cassandra:\n"
			"sudo sysctl -w vm.max_map_count=1048575\n"
			"and, so that it stays after a restart of the machine:\n"
			"echo \"vm.max_map_count=1048575\" | sudo tee -a /etc/sysctl.conf");
	}
}

/* ---- disk and clock */

/* Of the embedded store where that is used, else where this process was started. */
static void put_folder(const struct settings *settings, char *out, size_t size)
{
	const char *path = settings->sqlite_path;
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	if (slash == NULL)
		(void)snprintf(out, size, ".");
	else
		(void)snprintf(out, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static void check_disk(struct doctor_check *check)
{
	struct statvfs v;
	if (statvfs(check->target, &v) != 0) {
		check->status = DOCTOR_SKIP;
		(void)snprintf(check->message, sizeof(check->message),
			"the disk does not say what is free");
		return;
	}
	unsigned long long available = (unsigned long long)v.f_bavail * v.f_frsize;
	(void)snprintf(check->message, sizeof(check->message), "%llu MiB are free",
		available / (1024 * 1024));
	if (available < DISK_LITTLE)
		tell(check, available < DISK_NOTHING ? DOCTOR_FAIL : DOCTOR_WARN,
			"There is little room on this disk.",
			"Free some space: old logs, images and volumes that nobody uses.");
}

/* The server whose clock is farthest from ours; NULL: no server has told its time. */
static const struct doctor_target *find_other_clock(
	const struct doctor_target *targets, size_t count)
{
	const struct doctor_target *found = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct store_examination *x = &targets[i].found;
		if (x->has_clock && (found == NULL || llabs(x->clock_ahead_ms) >
							      llabs(found->found.clock_ahead_ms)))
			found = &targets[i];
	}
	return found;
}

static void check_clock(
	struct doctor_check *check, const struct doctor_target *other, int64_t now_ms)
{
	char time[TD_TIME_TEXT_SIZE] = "";
	int64_t ahead_ms = other != NULL ? other->found.clock_ahead_ms : 0;
	td_time_format(now_ms, time);
	if (other == NULL)
		(void)snprintf(check->message, sizeof(check->message),
			"it is %s; no server has told its time", time);
	else
		(void)snprintf(check->message, sizeof(check->message),
			"it is %s; the clock of %s is %.3f s %s", time, other->name,
			(double)llabs(ahead_ms) / 1000.0, ahead_ms < 0 ? "behind" : "ahead");
	if (now_ms < CLOCK_FIRST_MS)
		tell(check, DOCTOR_FAIL, "The clock of this machine was never set.",
			"Set it, and start a time service (chrony, systemd-timesyncd).");
	else if (llabs(ahead_ms) > CLOCK_OFF_MS)
		tell(check, DOCTOR_WARN,
			"The clocks of this machine and of the database are apart: periods end, "
			"and "
			"sessions expire, at the wrong time.",
			"Start a time service (chrony, systemd-timesyncd) on both machines.");
}

bool doctor_check_host(const struct settings *settings, const struct doctor_target *targets,
	size_t count, struct doctor_report *report)
{
	char folder[DOCTOR_TARGET_SIZE];
	uint64_t began_ns = td_clock_mono_ns();
	struct doctor_check *check = doctor_add(report, "host.max_map_count", MAP_COUNT_PATH);
	if (check == NULL)
		return false;
	check_map_count(check, find_near_cassandra(targets, count, report->is_in_container));
	check->duration_ms = (int64_t)((td_clock_mono_ns() - began_ns) / 1000000u);
	put_folder(settings, folder, sizeof(folder));
	check = doctor_add(report, "host.disk", folder);
	if (check == NULL)
		return false;
	check_disk(check);
	check = doctor_add(report, "host.clock", "this machine");
	if (check == NULL)
		return false;
	check_clock(check, find_other_clock(targets, count), td_clock_wall_ms(&td_clock_system));
	return true;
}
