/* Internet addresses: all of them as 16 bytes, IPv4 ones mapped (::ffff:a.b.c.d). Pure. */
#ifndef TD_HTTP_ADDRESS_H
#define TD_HTTP_ADDRESS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

struct http_address {
	uint8_t bytes[16];
};

#define HTTP_ADDRESS_TEXT_SIZE 46 /* with its NUL */

/* False: of another family. */
bool http_address_of(const struct sockaddr *sa, struct http_address *ret_address);

/* "192.0.2.1", "2001:db8::1", also with a port ("192.0.2.1:80", "[2001:db8::1]:80") or in brackets
 * alone, as X-Forwarded-For has them. False: none of these. */
bool http_address_parse(struct td_slice text, struct http_address *ret_address);

/* Mapped ones as "192.0.2.1". */
void http_address_format(const struct http_address *a, char out[HTTP_ADDRESS_TEXT_SIZE]);

bool http_address_equal(const struct http_address *a, const struct http_address *b);
bool http_address_is_loopback(const struct http_address *a); /* 127.0.0.0/8 and ::1 */

/* What connections are counted by: an IPv4 address, or the first 64 bits of an IPv6 one. */
struct http_address http_address_group(const struct http_address *a);

struct http_network {
	struct http_address base;
	unsigned bits; /* 0 to 128; of an IPv4 network 96 more than written */
};

/* "10.0.0.0/8", "2001:db8::/32", or an address alone. Bits behind the prefix must be zero. */
bool http_network_parse(struct td_slice text, struct http_network *ret_network);
bool http_network_has(const struct http_network *n, const struct http_address *a);

#endif
