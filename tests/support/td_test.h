/* cmocka with what it needs before it. */
#ifndef TD_TESTS_SUPPORT_TD_TEST_H
#define TD_TESTS_SUPPORT_TD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
