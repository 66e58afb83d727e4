/* What libpq's words about a failed connection mean. Pure: text in, class out. libpq has no getter
 * for the SQLSTATE of a failed connection; with PQERRORS_VERBOSE it stands in the text ("FATAL:
 * 28P01: password …"). */
#ifndef TD_STORE_POSTGRES_PG_CLASSIFY_H
#define TD_STORE_POSTGRES_PG_CLASSIFY_H

#include "connect/failure.h"

/* How far the attempt had come. */
enum pg_stage {
	PG_STAGE_TCP,       /* connect(2) has not returned yet */
	PG_STAGE_HANDSHAKE, /* connected; TLS, authentication or start-up were under way */
};

/* The last SQLSTATE in the message, into state[6]; false where there is none. */
bool pg_find_sqlstate(const char *message, char state[6]);

enum connect_class pg_classify_sqlstate(const char *state);

/* The class of the whole message. */
enum connect_class pg_classify(const char *message, enum pg_stage stage);

/* One line for people: without libpq's preamble, SQLSTATE, LOCATION and hints, with errno where the
 * system's words are there. "Connection refused (errno 111)", "password authentication failed for
 * user "u" (SQLSTATE 28P01)" */
void pg_message_for_people(const char *message, char *out, size_t out_size);

#endif
