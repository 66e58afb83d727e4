/* UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, the rest random. */
#ifndef TD_BASE_UUID_H
#define TD_BASE_UUID_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_UUID_TEXT_SIZE 37 /* with its NUL */

/* From the given time and random bytes; the same input gives the same text. */
void td_uuid_v7_make(int64_t wall_ms, const uint8_t random[10], char out[TD_UUID_TEXT_SIZE]);

/* From libsodium's generator. sodium_init() must have been called. Any thread. */
void td_uuid_v7(int64_t wall_ms, char out[TD_UUID_TEXT_SIZE]);

/* 8-4-4-4-12 hexadecimal digits, any version. */
bool td_uuid_is_valid(struct td_slice text);

#endif
