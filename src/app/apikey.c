#include "app/apikey.h"

#include "base/utf8.h"

#include <sodium.h>

#define PREFIX_LEN   (sizeof(APIKEY_PREFIX) - 1)
#define BODY_LEN     (PREFIX_LEN + APIKEY_RANDOM)
#define NAME_MAX_LEN 100
#define BASE         62

static const char alphabet[BASE + 1] =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* 62^6 is more than 2^32, so six characters hold every checksum. */
static void write_checksum(struct td_slice body, char out[APIKEY_CHECKSUM])
{
	uint8_t digest[TD_SHA256_SIZE];
	td_sha256(body, digest);
	uint32_t sum = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
		       (uint32_t)digest[2] << 8 | digest[3];
	for (size_t i = APIKEY_CHECKSUM; i-- > 0; sum /= BASE)
		out[i] = alphabet[sum % BASE];
}

void apikey_generate(char out[APIKEY_TEXT_SIZE])
{
	memcpy(out, APIKEY_PREFIX, PREFIX_LEN);
	for (size_t i = PREFIX_LEN; i < BODY_LEN; i++)
		out[i] = alphabet[randombytes_uniform(BASE)];
	write_checksum(td_slice(out, BODY_LEN), out + BODY_LEN);
	out[APIKEY_LEN] = '\0';
}

static bool is_of_alphabet(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool apikey_is_wellformed(struct td_slice key)
{
	if (key.len != APIKEY_LEN || !td_slice_has_prefix(key, APIKEY_PREFIX))
		return false;
	for (size_t i = PREFIX_LEN; i < key.len; i++) {
		if (!is_of_alphabet(key.ptr[i]))
			return false;
	}
	char expected[APIKEY_CHECKSUM];
	write_checksum(td_slice(key.ptr, BODY_LEN), expected);
	return memcmp(expected, key.ptr + BODY_LEN, APIKEY_CHECKSUM) == 0;
}

void apikey_hash(struct td_slice key, uint8_t out[TD_SHA256_SIZE])
{
	td_sha256(key, out);
}

void apikey_wipe(char *key, size_t len)
{
	sodium_memzero(key, len);
}

static bool holds_control(struct td_slice text)
{
	uint32_t code_point;
	while (td_utf8_next(&text, &code_point)) {
		if (td_utf8_is_control(code_point))
			return true;
	}
	return false;
}

bool apikey_check_name(struct td_slice name, const char **ret_why)
{
	const char *why = NULL;
	if (!td_utf8_is_valid(name))
		why = "is not valid UTF-8";
	else if (name.len == 0)
		why = "is empty; give it one that says who uses the key";
	else if (td_utf8_count(name) > NAME_MAX_LEN)
		why = "has more than 100 characters; choose a shorter one";
	else if (holds_control(name))
		why = "holds a control or direction character; leave it out";
	else if (name.ptr[0] == ' ' || name.ptr[name.len - 1] == ' ')
		why = "begins or ends with a space; leave it out";
	if (why == NULL)
		return true;
	*ret_why = why;
	return false;
}
