#include "base/money.h"

#include "base/compiler.h"

bool td_money_parse(struct td_slice text, int64_t *ret_minor)
{
	int64_t minor = 0;
	size_t at = 0, places = 0;
	bool point = false;
	if (text.len == 0 || text.ptr[0] == '.' || text.ptr[text.len - 1] == '.')
		return false;
	for (; at < text.len; at++) {
		char c = text.ptr[at];
		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9' || (point && ++places > 2))
			return false;
		minor = minor * 10 + (c - '0');
		if (minor > TD_MONEY_MAX)
			return false;
	}
	for (; places < 2; places++)
		minor *= 10;
	if (minor > TD_MONEY_MAX)
		return false;
	*ret_minor = minor;
	return true;
}

void td_money_put(struct td_buf *b, int64_t minor)
{
	uint64_t amount = minor < 0 ? ~(uint64_t)minor + 1 : (uint64_t)minor;
	if (minor < 0)
		td_buf_put_char(b, '-');
	td_buf_put_u64(b, amount / 100);
	char places[3] = {'.', (char)('0' + amount / 10 % 10), (char)('0' + amount % 10)};
	td_buf_put(b, places, sizeof(places));
}

/* ISO 4217 currencies whose minor unit is not two digits (0, 3 or 4), and those without any. */
static const char other_places[][4] = {
	"BIF",
	"CLP",
	"DJF",
	"GNF",
	"ISK",
	"JPY",
	"KMF",
	"KRW",
	"PYG",
	"RWF",
	"UGX",
	"UYI",
	"VND",
	"VUV",
	"XAF",
	"XOF",
	"XPF",
	"BHD",
	"IQD",
	"JOD",
	"KWD",
	"LYD",
	"OMR",
	"TND",
	"CLF",
	"UYW",
	"XAG",
	"XAU",
	"XBA",
	"XBB",
	"XBC",
	"XBD",
	"XDR",
	"XPD",
	"XPT",
	"XSU",
	"XTS",
	"XUA",
	"XXX",
};

bool td_money_is_currency(struct td_slice code)
{
	if (code.len != 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (code.ptr[i] < 'A' || code.ptr[i] > 'Z')
			return false;
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(other_places); i++) {
		if (td_slice_is(code, other_places[i]))
			return false;
	}
	return true;
}
