/* What each kind of operation does on a connection, within a transaction that is open. Outcomes as
 * store.h says; op->err tells the story of an error. Only for src/store/sqlite/. */
#ifndef TD_STORE_SQLITE_OPS_H
#define TD_STORE_SQLITE_OPS_H

#include "store/sqlite/conn.h"
#include "store/store.h"

enum td_status sqlite_op_user_put(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_user_create(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_user_get(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_user_by_email(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

enum td_status sqlite_op_key_create(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_key_list(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_key_revoke(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

enum td_status sqlite_op_catalogue_read(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_catalogue_populate(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_catalogue_apply(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

enum td_status sqlite_op_subscription_get(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_subscribe(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_subscription_change(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_subscription_due(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_history_list(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_login_get(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_checkout(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_session_create(
	struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_session_end(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_throttle_take(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_reset_create(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_reset_get(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_reset_use(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_sweep(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_lease_take(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_clock_get(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;
enum td_status sqlite_op_clock_set(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

/* Finds out whose session it is: op->caller.user_id. TD_DENIED: none that is in force. */
enum td_status sqlite_session_find(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

/* Looks for the answer that is kept. TD_NOTFOUND: there is none, run the operation; TD_OK (filled
 * in) and TD_MISMATCH are the operation's outcome. */
enum td_status sqlite_answer_find(struct sqlite_conn *conn, struct store_op *op) TD_MUST_CHECK;

/* Keeps the answer that belongs to `outcome`, if one does. */
enum td_status sqlite_answer_keep(
	struct sqlite_conn *conn, struct store_op *op, enum td_status outcome) TD_MUST_CHECK;

#endif
