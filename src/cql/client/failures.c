#include "cql/client/failures.h"

#include "base/alloc.h"
#include "cql/client/session.h"

#include <stdio.h>
#include <string.h>

struct cql_failure_note {
	char address[300];
	char text[TD_ERR_TEXT_MAX + 300];
	enum cql_failure failure;
	unsigned times;
};

void cql_failures_init(struct cql_failures *f)
{
	td_lock_init(&f->lock);
	f->notes = NULL;
	f->count = 0;
	f->last = TD_UNAVAILABLE;
}

void cql_failures_done(struct cql_failures *f)
{
	td_lock_done(&f->lock);
	td_free(f->notes);
}

/* Under the lock; NULL: it has none. */
static struct cql_failure_note *find(struct cql_failures *f, const char *address)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->notes[i].address, address) == 0)
			return &f->notes[i];
	}
	return NULL;
}

static void drop(struct cql_failures *f, struct cql_failure_note *note)
{
	size_t behind = (size_t)(f->notes + f->count - note) - 1;
	memmove(note, note + 1, behind * sizeof(*note));
	f->count--;
}

/* Under the lock; NULL: no memory. */
static struct cql_failure_note *add(struct cql_failures *f, const char *address)
{
	if (f->count == CQL_FAILURES_MOST)
		drop(f, f->notes);
	struct cql_failure_note *notes = td_realloc_array(f->notes, f->count + 1, sizeof(*notes));
	if (notes == NULL)
		return NULL;
	f->notes = notes;
	struct cql_failure_note *note = &notes[f->count++];
	(void)snprintf(note->address, sizeof(note->address), "%s", address);
	note->times = 0;
	return note;
}

void cql_failures_add(struct cql_failures *f, const char *address, enum cql_failure failure,
	const struct td_err *err)
{
	td_lock_take(&f->lock);
	struct cql_failure_note *note = find(f, address);
	if (note == NULL)
		note = add(f, address);
	f->last = err->code;
	if (note != NULL) {
		bool has_address = td_slice_has_prefix(td_slice_str(err->text), address);
		(void)snprintf(note->text, sizeof(note->text), "%s%s%s", has_address ? "" : address,
			has_address ? "" : ": ", err->text);
		note->failure = failure;
		note->times++;
	}
	td_lock_give(&f->lock);
}

void cql_failures_remove(struct cql_failures *f, const char *address)
{
	td_lock_take(&f->lock);
	struct cql_failure_note *note = find(f, address);
	if (note != NULL)
		drop(f, note);
	td_lock_give(&f->lock);
}

enum td_status cql_failures_last(struct cql_failures *f)
{
	td_lock_take(&f->lock);
	enum td_status last = f->last;
	td_lock_give(&f->lock);
	return last;
}

void cql_failures_write(struct cql_failures *f, struct td_buf *out)
{
	td_lock_take(&f->lock);
	for (size_t i = 0; i < f->count; i++) {
		td_buf_put_str(out, i > 0 ? "; " : "");
		td_buf_put_str(out, f->notes[i].text);
	}
	td_lock_give(&f->lock);
}

void cql_failures_each(struct cql_failures *f,
	void (*fn)(void *ctx, const struct cql_attempt_failure *failure), void *ctx)
{
	td_lock_take(&f->lock);
	for (size_t i = 0; i < f->count; i++) {
		const struct cql_failure_note *note = &f->notes[i];
		fn(ctx, &(struct cql_attempt_failure){.address = note->address,
				.failure = note->failure,
				.text = note->text,
				.times = note->times});
	}
	td_lock_give(&f->lock);
}
