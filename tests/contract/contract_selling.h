/* Rows of selling that tests of every store start from. */
#ifndef TD_TESTS_CONTRACT_CONTRACT_SELLING_H
#define TD_TESTS_CONTRACT_CONTRACT_SELLING_H

#include "contract.h"

#define SELLING_DAY INT64_C(86400000)

/* Packages "p-free" (slug free) and "p-team" (slug team), and the user `id`. */
void selling_prepare(struct contract *c);
void selling_make_user(struct contract *c, const char *id);

/* A SUBSCRIBE of `user` to "p-free" under `id`, whose history row is `id` with "-h1". */
struct store_op *selling_subscribe(const char *id, const char *user);

/* A CHANGE of the row that selling_subscribe() made, from `version` to the next, to "p-team"; its
 * history row is `id` with "-h" and the new version. The row may be changed further: it is
 * op->in.subscription. */
struct store_op *selling_change(const char *id, const char *user, int64_t version);
struct store_subscription *selling_row(struct store_op *op);

/* A SUBSCRIPTION_GET, answered. */
struct store_op *selling_get(struct contract *c, const char *user);

/* A HISTORY_LIST, answered. */
struct store_op *selling_history(
	struct contract *c, const char *user, size_t limit, int64_t before_seq);

/* The store keeps `body` for this request. */
void selling_keep(struct store_op *op, const char *key, const char *body);

#endif
