#include "app/text.h"

#include "base/compiler.h"
#include "base/utf8.h"

#include <stdint.h>

#define EMAIL_MAX  254
#define LOCAL_MAX  64
#define LABEL_MAX  63
#define DOMAIN_MAX 253

static bool is_space(uint32_t c)
{
	return c == 0x20 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
	       c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Characters without a shape of their own: a name of nothing else looks empty. The direction marks
 * and zero-width joiners among them are needed inside words of some scripts. */
static bool is_invisible(uint32_t c)
{
	return is_space(c) || c == 0xAD || c == 0x34F || c == 0x61C || c == 0x115F || c == 0x1160 ||
	       c == 0x180E || (c >= 0x200B && c <= 0x200F) || (c >= 0x2060 && c <= 0x2064) ||
	       c == 0x2800 || c == 0x3164 || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF ||
	       c == 0xFFA0 || (c >= 0xE0000 && c <= 0xE0FFF);
}

struct td_slice app_text_trim(struct td_slice text)
{
	struct td_slice rest = text, next = text;
	uint32_t c;
	while (td_utf8_next(&next, &c) && is_space(c))
		rest = next;
	const char *end = rest.ptr;
	for (next = rest; td_utf8_next(&next, &c);) {
		if (!is_space(c))
			end = next.ptr;
	}
	return td_slice(rest.ptr, rest.len == 0 ? 0 : (size_t)(end - rest.ptr));
}

const char *app_text_fault(struct td_slice text)
{
	bool shows = false;
	while (text.len > 0) {
		uint32_t c;
		if (!td_utf8_next(&text, &c))
			return "is not valid UTF-8; send the text in UTF-8";
		if (td_utf8_is_control(c))
			return "holds a control, line or text-direction character; leave it out";
		shows = shows || !is_invisible(c);
	}
	return shows ? NULL : "is empty; give at least one visible character";
}

/* RFC 5322 atext, and what RFC 6531 adds: every character beyond ASCII that shows. */
static bool is_atext(uint32_t c)
{
	if (c >= 0x80)
		return !is_invisible(c) && !td_utf8_is_control(c);
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", (int)c) != NULL);
}

static bool is_of_label(uint32_t c)
{
	return c >= 0x80 ? is_atext(c)
			 : (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
				   (c >= 'a' && c <= 'z') || c == '-';
}

static bool holds_only(struct td_slice text, bool (*is_allowed)(uint32_t))
{
	while (text.len > 0) {
		uint32_t c;
		if (!td_utf8_next(&text, &c) || !is_allowed(c))
			return false;
	}
	return true;
}

static bool is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static const char *local_fault(struct td_slice local)
{
	if (local.len == 0)
		return "has nothing before its @; give an address like name@example.com";
	if (local.len > LOCAL_MAX)
		return "has more than 64 bytes before its @; give a shorter address";
	struct td_slice atom;
	while (td_slice_cut(&local, '.', &atom)) {
		if (atom.len == 0)
			return "has a dot too many before its @; give an address like "
			       "name@example.com";
		if (!holds_only(atom, is_atext))
			return "holds a character before its @ that is not taken in an address; "
			       "give one like name@example.com";
	}
	return NULL;
}

static const char *domain_fault(struct td_slice domain)
{
	static const char words[] =
		"does not end in a domain like example.com; correct what follows its @";
	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return words;
	struct td_slice label = {NULL, 0};
	size_t labels = 0;
	while (td_slice_cut(&domain, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_MAX || !holds_only(label, is_of_label) ||
			label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
			return words;
		labels++;
	}
	return labels < 2 || holds_only(label, is_digit) ? words : NULL;
}

const char *app_email_fault(struct td_slice email)
{
	if (!td_utf8_is_valid(email))
		return "is not valid UTF-8; send the text in UTF-8";
	if (email.len == 0)
		return "is empty; give an address like name@example.com";
	if (email.len > EMAIL_MAX)
		return "is too long; at most 254 bytes are taken";
	const char *at = memrchr(email.ptr, '@', email.len);
	if (at == NULL)
		return "has no @; give an address like name@example.com";
	size_t before = (size_t)(at - email.ptr);
	const char *fault = local_fault(td_slice(email.ptr, before));
	return fault != NULL ? fault : domain_fault(td_slice_skip(email, before + 1));
}
