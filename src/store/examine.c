#include "store/examine.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words[STORE_LAYER_COUNT] = {
#define STORE_LAYER_ROW(name, word) [STORE_LAYER_##name] = (word),
	STORE_LAYER_MAP(STORE_LAYER_ROW)
#undef STORE_LAYER_ROW
};

const char *store_layer_word(enum store_layer layer)
{
	return words[layer];
}

bool store_layer_of(const char *word, enum store_layer *ret_layer)
{
	for (unsigned i = 0; i < STORE_LAYER_COUNT; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_layer = (enum store_layer)i;
			return true;
		}
	}
	return false;
}

void store_examination_init(struct store_examination *x)
{
	*x = (struct store_examination){.since_ns = td_clock_mono_ns()};
}

static struct store_finding *begin_finding(
	struct store_examination *x, enum store_layer layer, enum store_verdict verdict)
{
	uint64_t now_ns = td_clock_mono_ns();
	struct store_finding *f = &x->layers[layer];
	*f = (struct store_finding){
		.verdict = verdict, .duration_ms = (int64_t)((now_ns - x->since_ns) / 1000000u)};
	x->since_ns = now_ns;
	return f;
}

void store_found_ok(struct store_examination *x, enum store_layer layer, const char *fmt, ...)
{
	struct store_finding *f = begin_finding(x, layer, STORE_IS_OK);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(f->message, sizeof(f->message), fmt, args);
	va_end(args);
}

void store_found(struct store_examination *x, enum store_layer layer, enum store_verdict verdict,
	const char *message, const char *cause, const char *fix)
{
	struct store_finding *f = begin_finding(x, layer, verdict);
	(void)snprintf(f->message, sizeof(f->message), "%s", message != NULL ? message : "");
	(void)snprintf(f->cause, sizeof(f->cause), "%s", cause != NULL ? cause : "");
	(void)snprintf(f->fix, sizeof(f->fix), "%s", fix != NULL ? fix : "");
}

void store_found_fix(struct store_examination *x, enum store_layer layer, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(x->layers[layer].fix, sizeof(x->layers[layer].fix), fmt, args);
	va_end(args);
}

void store_found_err(struct store_examination *x, enum store_layer layer, const struct td_err *err,
	const char *cause, const char *fix)
{
	store_found(x, layer, STORE_FAILS, err->text, cause, fix);
}

bool store_examination_failed(const struct store_examination *x, enum store_layer *ret_layer)
{
	for (unsigned i = 0; i < STORE_LAYER_COUNT; i++) {
		if (x->layers[i].verdict == STORE_FAILS) {
			*ret_layer = (enum store_layer)i;
			return true;
		}
	}
	return false;
}
