#include "app/user.h"

#include "app/text.h"
#include "base/utf8.h"
#include "base/uuid.h"

#define NAME_MOST    100
#define COMPANY_MOST 200

static bool is_of_id(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '.' || c == '_' || c == ':' || c == '@' || c == '-';
}

bool app_user_id_is_valid(struct td_slice id)
{
	if (id.len < 1 || id.len > APP_USER_ID_MAX || td_slice_is(id, ".") || td_slice_is(id, ".."))
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (!is_of_id(id.ptr[i]))
			return false;
	}
	return true;
}

static const char *name_fault(struct td_slice name)
{
	const char *fault = app_text_fault(name);
	if (fault == NULL && td_utf8_count(name) > NAME_MOST)
		fault = "is too long; at most 100 characters are taken";
	return fault;
}

static const char *company_fault(struct td_slice company)
{
	const char *fault = app_text_fault(company);
	if (fault == NULL && td_utf8_count(company) > COMPANY_MOST)
		fault = "is too long; at most 200 characters are taken";
	return fault;
}

static void check_field(struct app_faults *faults, const char *pointer, struct td_slice *field,
	bool required, const char *(*find_fault)(struct td_slice))
{
	if (app_faults_at(faults, pointer))
		return;
	if (field->ptr == NULL) {
		if (required)
			app_faults_add(faults, pointer, "is missing; it is required");
		return;
	}
	if (td_utf8_is_valid(*field))
		*field = app_text_trim(*field);
	const char *fault = find_fault(*field);
	if (fault != NULL)
		app_faults_add(faults, pointer, fault);
}

void app_user_check(struct app_user_form *form, struct app_faults *faults)
{
	check_field(faults, "/email", &form->email, true, app_email_fault);
	check_field(faults, "/first_name", &form->first_name, true, name_fault);
	check_field(faults, "/last_name", &form->last_name, true, name_fault);
	check_field(faults, "/company", &form->company, false, company_fault);
}

static bool fill_user(struct store_op *op, struct td_slice id, const struct app_user_form *form)
{
	struct store_user *user = &op->in.user;
	user->id = td_arena_slice(&op->arena, id);
	user->email = td_arena_slice(&op->arena, form->email);
	user->first_name = td_arena_slice(&op->arena, form->first_name);
	user->last_name = td_arena_slice(&op->arena, form->last_name);
	if (form->company.ptr != NULL)
		user->company = td_arena_slice(&op->arena, form->company);
	user->created_at = user->updated_at = op->now_ms;
	return !op->arena.failed;
}

bool app_user_put(struct store_op *op, struct td_slice id, const struct app_user_form *form)
{
	op->kind = STORE_USER_PUT;
	return fill_user(op, id, form);
}

bool app_user_fill(struct store_op *op, const struct app_user_form *form)
{
	char id[TD_UUID_TEXT_SIZE];
	td_uuid_v7(op->now_ms, id);
	return fill_user(op, td_slice_str(id), form);
}

bool app_user_create(struct store_op *op, const struct app_user_form *form)
{
	op->kind = STORE_USER_CREATE;
	return app_user_fill(op, form);
}

bool app_user_get(struct store_op *op, struct td_slice id)
{
	op->kind = STORE_USER_GET;
	op->in.user.id = td_arena_slice(&op->arena, id);
	return !op->arena.failed;
}

bool app_user_find(struct store_op *op, struct td_slice email)
{
	op->kind = STORE_USER_BY_EMAIL;
	op->in.user.email = td_arena_slice(
		&op->arena, td_utf8_is_valid(email) ? app_text_trim(email) : email);
	return !op->arena.failed;
}
