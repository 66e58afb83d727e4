/* Descriptions of types: [option] of the protocol (native_protocol_v4.spec section 4.2.5.2), and
 * the names of server classes by which protocol 5's vector comes as a custom type. Hostile input:
 * depth and counts are bounded. */
#ifndef TD_CQL_PROTOCOL_TYPE_H
#define TD_CQL_PROTOCOL_TYPE_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_TYPE_DEPTH_MOST 32 /* of types within types */

enum cql_type_id {
	CQL_TYPE_CUSTOM = 0x00,
	CQL_TYPE_ASCII = 0x01,
	CQL_TYPE_BIGINT = 0x02,
	CQL_TYPE_BLOB = 0x03,
	CQL_TYPE_BOOLEAN = 0x04,
	CQL_TYPE_COUNTER = 0x05,
	CQL_TYPE_DECIMAL = 0x06,
	CQL_TYPE_DOUBLE = 0x07,
	CQL_TYPE_FLOAT = 0x08,
	CQL_TYPE_INT = 0x09,
	CQL_TYPE_TEXT = 0x0a, /* old servers; later ones say varchar */
	CQL_TYPE_TIMESTAMP = 0x0b,
	CQL_TYPE_UUID = 0x0c,
	CQL_TYPE_VARCHAR = 0x0d,
	CQL_TYPE_VARINT = 0x0e,
	CQL_TYPE_TIMEUUID = 0x0f,
	CQL_TYPE_INET = 0x10,
	CQL_TYPE_DATE = 0x11,
	CQL_TYPE_TIME = 0x12,
	CQL_TYPE_SMALLINT = 0x13,
	CQL_TYPE_TINYINT = 0x14,
	CQL_TYPE_DURATION = 0x15,
	CQL_TYPE_LIST = 0x20,
	CQL_TYPE_MAP = 0x21,
	CQL_TYPE_SET = 0x22,
	CQL_TYPE_UDT = 0x30,
	CQL_TYPE_TUPLE = 0x31,
	CQL_TYPE_VECTOR = 0x10000, /* never on the wire: a custom type whose class is known */
};

/* Read into an arena: the names point into what was read, but for a UDT's within a vector, which
 * lie in the arena as `params` does. */
struct cql_type {
	enum cql_type_id id;
	uint32_t dimension;            /* VECTOR: how many elements, from 1 */
	struct td_slice name;          /* CUSTOM: its class; UDT: its own, without the keyspace */
	struct td_slice keyspace;      /* UDT */
	const struct cql_type *params; /* LIST, SET, VECTOR: of an element; MAP: of key and value;
					  TUPLE, UDT: of each field */
	const struct td_slice *fields; /* UDT: the names */
	size_t param_count;
};

/* Reads one [option]. False: r->failed (damaged, an unknown id, or deeper than
 * CQL_TYPE_DEPTH_MOST), or arena->failed (no memory, over its limit). */
bool cql_type_read(
	struct cql_reader *r, struct td_arena *arena, struct cql_type *ret_type) TD_MUST_CHECK;

/* Walks over one [option] with the same checks, without memory. Look at r->failed. */
void cql_type_skip(struct cql_reader *r);

/* The type that a server's class names ("org.apache.cassandra.db.marshal.VectorType(…FloatType,
 * 3)"). A class that is not known, or not written as the server does, is CUSTOM. False: no memory.
 */
bool cql_type_of_class(struct td_slice class_name, struct td_arena *arena,
	struct cql_type *ret_type) TD_MUST_CHECK;

/* Bytes of every value of the type as a vector has it without lengths (VectorType.java); 0: they
 * differ, or the server stores them as if they did. */
size_t cql_type_fixed_size(const struct cql_type *type);

/* "int", "list", "UDT"; "unknown". Static storage. */
const char *cql_type_name(enum cql_type_id id);

#endif
