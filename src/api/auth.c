#include "api/auth.h"

#include "app/apikey.h"

#define MAKE_ONE "Make one with `tools-dashboard apikey create --name NAME`."

static const char *find_fault(struct td_slice value, size_t count, struct td_slice *ret_key)
{
	static const char scheme[] = "Bearer";
	if (count == 0)
		return "This needs an API key: send `Authorization: Bearer KEY`. " MAKE_ONE;
	if (count > 1)
		return "There is more than one Authorization header; send one.";
	size_t len = sizeof(scheme) - 1;
	if (value.len <= len || !td_slice_is_nocase(td_slice(value.ptr, len), scheme) ||
		value.ptr[len] != ' ')
		return "The Authorization header is not of the form `Bearer KEY`.";
	*ret_key = td_slice_trim(td_slice_skip(value, len));
	if (!apikey_is_wellformed(*ret_key))
		return "The API key is mistyped or cut: its checksum is wrong. Copy all of it, "
		       "from "
		       "td_ on.";
	return NULL;
}

bool api_auth_read(struct td_slice value, size_t count, uint8_t ret_key_hash[TD_SHA256_SIZE],
	const char **ret_why)
{
	struct td_slice key;
	const char *why = find_fault(value, count, &key);
	if (why != NULL) {
		*ret_why = why;
		return false;
	}
	apikey_hash(key, ret_key_hash);
	return true;
}
