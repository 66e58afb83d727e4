#include "base/err.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the text is cut, it is cut before a character, never inside one. */
static void cut_cleanly(char *text, size_t size, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= size)
		text[td_utf8_floor(text, strlen(text))] = '\0';
}

TD_PRINTF(2, 0)
static void write_text(struct td_err *err, const char *fmt, va_list args)
{
	int wanted = vsnprintf(err->text, sizeof(err->text), fmt, args);
	cut_cleanly(err->text, sizeof(err->text), wanted);
}

enum td_status td_err_set(struct td_err *err, enum td_status code, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	va_list args;
	va_start(args, fmt);
	struct td_err fresh = {.code = code};
	write_text(&fresh, fmt, args);
	va_end(args);
	*err = fresh; /* the arguments may point into *err */
	return code;
}

enum td_status td_err_errno(
	struct td_err *err, enum td_status code, int error_number, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	int saved = errno;
	va_list args;
	va_start(args, fmt);
	struct td_err fresh = {.code = code, .native = error_number};
	write_text(&fresh, fmt, args);
	va_end(args);
	char words[128];
	const char *text = strerror_r(error_number, words, sizeof(words));
	size_t used = strlen(fresh.text);
	int wanted = snprintf(fresh.text + used, sizeof(fresh.text) - used, ": %s (errno %d)", text,
		error_number);
	cut_cleanly(fresh.text + used, sizeof(fresh.text) - used, wanted);
	*err = fresh;
	errno = saved;
	return code;
}

enum td_status td_err_context(struct td_err *err, const char *fmt, ...)
{
	if (err == NULL)
		return TD_INTERNAL;
	struct td_err wider = *err;
	va_list args;
	va_start(args, fmt);
	write_text(&wider, fmt, args);
	va_end(args);
	size_t used = strlen(wider.text);
	int wanted = snprintf(wider.text + used, sizeof(wider.text) - used, ": %s", err->text);
	cut_cleanly(wider.text + used, sizeof(wider.text) - used, wanted);
	*err = wider;
	return err->code;
}

void td_err_check(struct td_err *err, const char *check)
{
	if (err != NULL)
		(void)snprintf(err->check, sizeof(err->check), "%s", check);
}
