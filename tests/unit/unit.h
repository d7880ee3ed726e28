/* cmocka.h with what it needs before it, in an order that sorting of includes cannot break. */
#ifndef DRIFT_TESTS_UNIT_UNIT_H
#define DRIFT_TESTS_UNIT_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
