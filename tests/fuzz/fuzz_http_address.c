/* Addresses and networks of X-Forwarded-For and TRUSTED_PROXIES. */
#include "fuzz.h"

#include "http/address.h"

#include <netinet/in.h>

/* As it comes from the system. */
static void read_socket_address(const uint8_t *data, size_t size)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	struct http_address address;
	FUZZ_CLAIM(!http_address_of((struct sockaddr *)&sa, &address));
	if (size < 16)
		return;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
	in6->sin6_family = AF_INET6;
	memcpy(&in6->sin6_addr, data, 16);
	FUZZ_CLAIM(http_address_of((struct sockaddr *)&sa, &address));
	FUZZ_CLAIM(memcmp(address.bytes, data, 16) == 0);
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	in->sin_family = AF_INET;
	memcpy(&in->sin_addr, data, 4);
	FUZZ_CLAIM(http_address_of((struct sockaddr *)&sa, &address));
	FUZZ_CLAIM(memcmp(address.bytes + 12, data, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice text = fuzz_slice(data, size);
	read_socket_address(data, size);
	struct http_address address, same;
	struct http_network network;
	char out[HTTP_ADDRESS_TEXT_SIZE];
	if (http_address_parse(text, &address)) {
		http_address_format(&address, out);
		FUZZ_CLAIM(http_address_parse(td_slice_str(out), &same));
		FUZZ_CLAIM(http_address_equal(&address, &same));
		struct http_address group = http_address_group(&address);
		same = http_address_group(&group);
		FUZZ_CLAIM(http_address_equal(&group, &same));
		(void)http_address_is_loopback(&address);
	}
	if (http_network_parse(text, &network)) {
		FUZZ_CLAIM(network.bits <= 128 && http_network_has(&network, &network.base));
	}
	return 0;
}
