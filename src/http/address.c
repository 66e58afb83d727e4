#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct http_address *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

static void set_ipv4(struct http_address *a, const void *four)
{
	memcpy(a->bytes, mapped, sizeof(mapped));
	memcpy(a->bytes + 12, four, 4);
}

bool http_address_of(const struct sockaddr *sa, struct http_address *ret_address)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		set_ipv4(ret_address, &in.sin_addr);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		memcpy(ret_address->bytes, &in6.sin6_addr, 16);
		return true;
	}
	return false;
}

static bool parse_plain(struct td_slice text, struct http_address *ret_address, bool *ret_is_v4)
{
	char copy[HTTP_ADDRESS_TEXT_SIZE];
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	uint8_t four[4];
	if (inet_pton(AF_INET, copy, four) == 1) {
		set_ipv4(ret_address, four);
		*ret_is_v4 = true;
		return true;
	}
	*ret_is_v4 = false;
	return inet_pton(AF_INET6, copy, ret_address->bytes) == 1;
}

static bool is_port_suffix(struct td_slice text)
{
	if (text.len < 2 || text.len > 6 || text.ptr[0] != ':')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return true;
}

bool http_address_parse(struct td_slice text, struct http_address *ret_address)
{
	bool is_v4 = false;
	if (parse_plain(text, ret_address, &is_v4))
		return true;
	if (text.len > 0 && text.ptr[0] == '[') {
		const char *close = memchr(text.ptr, ']', text.len);
		if (close == NULL)
			return false;
		size_t inside = (size_t)(close - text.ptr) - 1;
		struct td_slice rest = td_slice_skip(text, inside + 2);
		return (rest.len == 0 || is_port_suffix(rest)) &&
		       parse_plain(td_slice(text.ptr + 1, inside), ret_address, &is_v4) && !is_v4;
	}
	const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
	if (colon == NULL)
		return false;
	size_t before = (size_t)(colon - text.ptr);
	return is_port_suffix(td_slice_skip(text, before)) &&
	       parse_plain(td_slice(text.ptr, before), ret_address, &is_v4) && is_v4;
}

void http_address_format(const struct http_address *a, char out[HTTP_ADDRESS_TEXT_SIZE])
{
	const char *text = is_mapped(a)
				   ? inet_ntop(AF_INET, a->bytes + 12, out, HTTP_ADDRESS_TEXT_SIZE)
				   : inet_ntop(AF_INET6, a->bytes, out, HTTP_ADDRESS_TEXT_SIZE);
	if (text == NULL)
		out[0] = '\0';
}

bool http_address_equal(const struct http_address *a, const struct http_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool http_address_is_loopback(const struct http_address *a)
{
	static const struct http_address v6 = {{[15] = 1}};
	return http_address_equal(a, &v6) || (is_mapped(a) && a->bytes[12] == 127);
}

struct http_address http_address_group(const struct http_address *a)
{
	struct http_address group = *a;
	if (!is_mapped(a))
		memset(group.bytes + 8, 0, 8);
	return group;
}

static void clear_host_bits(struct http_address *a, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits <= i * 8 ? 0 : bits - i * 8;
		if (keep < 8)
			a->bytes[i] &= (uint8_t)(0xff00u >> keep);
	}
}

static bool parse_bits(struct td_slice text, unsigned most, unsigned *ret_bits)
{
	unsigned bits = 0;
	if (text.len == 0 || text.len > 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret_bits = bits;
	return bits <= most;
}

bool http_network_parse(struct td_slice text, struct http_network *ret_network)
{
	struct td_slice bits_text = text;
	struct td_slice address;
	struct http_network n = {.bits = 128};
	bool is_v4 = false;
	if (!td_slice_cut(&bits_text, '/', &address) || !parse_plain(address, &n.base, &is_v4))
		return false;
	if (bits_text.ptr != NULL) {
		if (!parse_bits(bits_text, is_v4 ? 32 : 128, &n.bits))
			return false;
		n.bits += is_v4 ? 96 : 0;
	}
	struct http_address masked = n.base;
	clear_host_bits(&masked, n.bits);
	if (!http_address_equal(&masked, &n.base))
		return false;
	*ret_network = n;
	return true;
}

bool http_network_has(const struct http_network *n, const struct http_address *a)
{
	struct http_address masked = *a;
	clear_host_bits(&masked, n->bits);
	return http_address_equal(&masked, &n->base);
}
