/* Addresses and networks of X-Forwarded-For and TRUSTED_PROXIES. */
#include "fuzz.h"

#include "http/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice text = fuzz_slice(data, size);
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
