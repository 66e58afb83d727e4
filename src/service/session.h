/* The stores for a command: opened, with its deadlines kept, and closed again. */
#ifndef TD_SERVICE_SESSION_H
#define TD_SERVICE_SESSION_H

#include "base/err.h"
#include "catalogue/catalogue.h"
#include "settings/settings.h"
#include "store/store.h"
#include "work/ticker.h"

struct session {
	const struct settings *settings; /* borrowed */
	struct store *store;
	struct store *content; /* where it has a database of its own; NULL */
	struct td_ticker *ticker;
};

enum session_wish {
	SESSION_RECORDS = 0,  /* TD_SCHEMA where the schema is not up to date; makes no file */
	SESSION_CONTENT = 1,  /* with the content, where that has a database of its own */
	SESSION_MIGRATES = 2, /* makes and migrates the database, and says so on the log */
};

/* `wishes` are of enum session_wish. Errors as store_sqlite_open(). On TD_OK give it to
 * session_close(). */
enum td_status session_open(struct session *session, const struct settings *settings,
	unsigned wishes, struct td_err *err) TD_MUST_CHECK;
void session_close(struct session *session);

/* A fresh operation with its time and deadline set. NULL: no memory. */
struct store_op *session_op(struct session *session, enum store_op_kind kind) TD_MUST_CHECK;

/* For catalogue.h; `say` may be NULL. */
struct catalogue_access session_catalogue(
	struct session *session, catalogue_say_fn *say, void *say_ctx);

#endif
