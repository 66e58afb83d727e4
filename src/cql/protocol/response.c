#include "cql/protocol/response.h"

enum td_status cql_supported_read(
	struct td_slice message, struct cql_items *ret_options, struct td_err *err)
{
	struct cql_reader r = cql_reader(message);
	struct cql_items options = cql_read_string_multimap(&r);
	enum td_status status = cql_reader_check(&r, "SUPPORTED", err);
	if (status == TD_OK)
		*ret_options = options;
	return status;
}

/* The values of an option; none where it is not listed. */
static struct cql_items option_values(const struct cql_items *options, const char *option)
{
	struct cql_reader r = cql_reader(options->bytes);
	for (size_t i = 0; i < options->count; i++) {
		struct td_slice name = cql_read_string(&r);
		struct cql_items values = cql_read_string_list(&r);
		if (td_slice_is(name, option))
			return values;
	}
	return (struct cql_items){.count = 0};
}

bool cql_supported_has(const struct cql_items *options, const char *option, const char *value)
{
	struct cql_items values = option_values(options, option);
	struct cql_reader r = cql_reader(values.bytes);
	for (size_t i = 0; i < values.count; i++)
		if (td_slice_is(cql_read_string(&r), value))
			return true;
	return false;
}

/* 5 of "5/v5"; 0 of "6/v6-beta" and of what is written otherwise. */
static unsigned stable_version(struct td_slice text)
{
	unsigned version = 0;
	struct td_slice number;
	if (!td_slice_cut(&text, '/', &number) || number.len == 0 || number.len > 3 ||
		text.ptr == NULL)
		return 0;
	for (size_t i = 0; i < number.len; i++) {
		if (number.ptr[i] < '0' || number.ptr[i] > '9')
			return 0;
		version = version * 10 + (unsigned)(number.ptr[i] - '0');
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '-')
			return 0;
	return version;
}

unsigned cql_supported_version(const struct cql_items *options, unsigned most)
{
	struct cql_items values = option_values(options, "PROTOCOL_VERSIONS");
	struct cql_reader r = cql_reader(values.bytes);
	unsigned highest = 0;
	for (size_t i = 0; i < values.count; i++) {
		unsigned version = stable_version(cql_read_string(&r));
		if (version > highest && version <= most)
			highest = version;
	}
	return highest;
}

enum td_status cql_authenticate_read(
	struct td_slice message, struct td_slice *ret_class, struct td_err *err)
{
	struct cql_reader r = cql_reader(message);
	struct td_slice name = cql_read_string(&r);
	enum td_status status = cql_reader_check(&r, "AUTHENTICATE", err);
	if (status == TD_OK)
		*ret_class = name;
	return status;
}

bool cql_authenticator_is_known(struct td_slice class_name)
{
	static const char *const known[] = {
		"org.apache.cassandra.auth.PasswordAuthenticator",
		"org.apache.cassandra.auth.MutualTlsWithPasswordFallbackAuthenticator",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(known); i++)
		if (td_slice_is(class_name, known[i]))
			return true;
	return false;
}

enum td_status cql_auth_read(
	struct td_slice message, struct td_slice *ret_token, struct td_err *err)
{
	struct cql_reader r = cql_reader(message);
	struct td_slice token = cql_read_bytes(&r);
	enum td_status status = cql_reader_check(&r, "an answer to a password", err);
	if (status == TD_OK)
		*ret_token = token;
	return status;
}

struct word {
	const char *text;
	int value;
};

/* The value of a word; 0 where it is not in the table. */
static int find_word(const struct word *words, size_t count, struct td_slice text)
{
	for (size_t i = 0; i < count; i++)
		if (td_slice_is(text, words[i].text))
			return words[i].value;
	return 0;
}

static enum cql_change read_change(struct cql_reader *r)
{
	static const struct word words[] = {{"NEW_NODE", CQL_NEW_NODE},
		{"REMOVED_NODE", CQL_REMOVED_NODE}, {"MOVED_NODE", CQL_MOVED_NODE}, {"UP", CQL_UP},
		{"DOWN", CQL_DOWN}, {"CREATED", CQL_CREATED}, {"UPDATED", CQL_UPDATED},
		{"DROPPED", CQL_DROPPED}};
	return (enum cql_change)find_word(words, TD_ARRAY_LEN(words), cql_read_string(r));
}

struct cql_schema_change cql_schema_change_read(struct cql_reader *r)
{
	static const struct word words[] = {{"KEYSPACE", CQL_TARGET_KEYSPACE},
		{"TABLE", CQL_TARGET_TABLE}, {"TYPE", CQL_TARGET_TYPE},
		{"FUNCTION", CQL_TARGET_FUNCTION}, {"AGGREGATE", CQL_TARGET_AGGREGATE}};
	struct cql_schema_change change = {.change = read_change(r)};
	change.target = (enum cql_target)find_word(words, TD_ARRAY_LEN(words), cql_read_string(r));
	change.keyspace = cql_read_string(r);
	if (change.target != CQL_TARGET_KEYSPACE && change.target != CQL_TARGET_UNKNOWN)
		change.name = cql_read_string(r);
	if (change.target == CQL_TARGET_FUNCTION || change.target == CQL_TARGET_AGGREGATE)
		change.argument_types = cql_read_string_list(r);
	return change;
}

enum td_status cql_event_read(
	struct td_slice message, struct cql_event *ret_event, struct td_err *err)
{
	static const struct word words[] = {{"TOPOLOGY_CHANGE", CQL_EVENT_IS_TOPOLOGY},
		{"STATUS_CHANGE", CQL_EVENT_IS_STATUS}, {"SCHEMA_CHANGE", CQL_EVENT_IS_SCHEMA}};
	struct cql_reader r = cql_reader(message);
	struct cql_event event = {.node.port = -1};
	event.type = (enum cql_event_type)find_word(
		words, TD_ARRAY_LEN(words), cql_read_string(&r));
	if (event.type == CQL_EVENT_IS_SCHEMA) {
		event.schema = cql_schema_change_read(&r);
		event.change = event.schema.change;
	} else if (event.type != CQL_EVENT_IS_UNKNOWN) {
		event.change = read_change(&r);
		event.node = cql_read_inet(&r);
	}
	enum td_status status = cql_reader_check(&r, "EVENT", err);
	if (status == TD_OK)
		*ret_event = event;
	return status;
}
