/* The texts of one language: a flat JSON object, key to text, checked once and then read by any
 * thread. A text may hold `{name}` where a value goes (page/template.h). */
#ifndef TD_PAGE_LOCALE_H
#define TD_PAGE_LOCALE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "page/template.h"

#include <stddef.h>
#include <stdint.h>

#define LOCALE_KEY_MOST  1000 /* texts of one locale */
#define LOCALE_TEXT_MOST 4096 /* bytes of one text */

struct locale;

/* `code` is the language ("es"); `json` the file. `fallback` (borrowed, must outlive this one; NULL
 * for none) answers for the keys that are missing here.
 *   TD_OK       *ret_locale is the caller's; locale_destroy()
 *   TD_INVALID  err names the language, and the line or the key
 *   TD_TOOBIG, TD_NOMEM */
enum td_status locale_create(struct td_slice code, struct td_slice json,
	const struct locale *fallback, struct locale **ret_locale,
	struct td_err *err) TD_MUST_CHECK;

/* NULL is fine. */
void locale_destroy(struct locale *locale);

/* "es". Valid as long as the locale. */
struct td_slice locale_code(const struct locale *locale);

/* The text, or the fall-back's; a NULL pointer where neither has it. */
struct td_slice locale_find(const struct locale *locale, struct td_slice key);
struct td_slice locale_find_str(const struct locale *locale, const char *key);

/* The number of keys of its own, and the i-th of them, by key. For tests and checks. */
size_t locale_count(const struct locale *locale);
struct td_slice locale_key(const struct locale *locale, size_t i);

/* For tpl_render(): `{{t.KEY}}` reads this locale. */
struct tpl_texts locale_texts(const struct locale *locale);

/* How numbers, money and days are written comes from the keys `format.…` of the locale:
 * format.decimal, format.group, format.group_from (the fewest digits that are grouped: 5 in
 * Spanish), format.money ("{amount} {symbol}"), format.money_code (where the currency has no
 * symbol: "{amount} {code}"), format.symbol.usd and so on,
 * format.percent ("{number} %"), format.date ("{month} {day}, {year}"),
 * format.month.1 to 12. */

/* "29.99" as "$29.99" or "29,99 US$"; whole amounts keep their two places. */
void locale_put_money(
	const struct locale *locale, struct td_buf *out, int64_t minor, struct td_slice currency);

/* "100,000", "100.000". */
void locale_put_number(const struct locale *locale, struct td_buf *out, int64_t number);

/* "17%", "17 %". */
void locale_put_percent(const struct locale *locale, struct td_buf *out, int64_t percent);

/* The day in UTC of a time in ms: "23 November 2026". */
void locale_put_date(const struct locale *locale, struct td_buf *out, int64_t wall_ms);

#endif
