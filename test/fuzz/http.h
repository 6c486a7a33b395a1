/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_HTTP_H
#define TEST_FUZZ_HTTP_H

#include "fuzz/fuzz.h"
#include "wire/http_parser.h"

/*
 * Read the bytes as messages, whole and in random pieces: the events and the
 * result must be the same. The first byte seeds the pieces, and says whether
 * some event ends the parser.
 */
void fuzz_http(ts__http_kind_t kind, const uint8_t *data, size_t size);

#endif /* TEST_FUZZ_HTTP_H */
