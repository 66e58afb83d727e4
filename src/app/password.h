/* Passwords: what may be one, and argon2id (RFC 9106) through libsodium. Slow and hungry on
 * purpose, so never on an HTTP thread. */
#ifndef TD_APP_PASSWORD_H
#define TD_APP_PASSWORD_H

#include "app/flow.h"
#include "base/slice.h"

#define APP_PASSWORD_LEAST 8    /* characters */
#define APP_PASSWORD_MOST  1024 /* bytes */

/* NULL, or a sentence that says what is wrong and what to do; static storage. Any characters are
 * taken as they are, none are asked for; those that many people use are refused. */
const char *app_password_fault(struct td_slice password);

/* Does the job: makes job->made, or sets job->matches, and makes job->made where it matches a hash
 * of other parameters than job->memory asks for. Takes job->memory bytes (for verifying also what
 * the hash says, at most 1 GiB, and four passes over that) and some ten milliseconds. A hash that
 * asks for more matches nothing. A dummy takes as long as one that does not match, but for a hash
 * that was made with more memory, which takes longer. Any thread. */
void app_password_work(struct app_hash_job *job);

#endif
