/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_YARDSTICKS_H
#define BENCH_YARDSTICKS_H

/*
 * What the goals are ratios of. None of it uses the code under measurement, but
 * for the text of Y2's batch.
 *
 *   Y1  one keyed hash look-up (SipHash-1-3 over open addressing) of a 20-byte
 *       name among 100, plus two clock_gettime
 *   Y2  one-shot zlib, level 6, of a batch: 500 samples with tags and trace ids
 *   Y3  llhttp and a splitter of lines, per event of a state stream
 *
 * Each is a `measure` of bench_case_t without an argument; y_init makes them
 * ready, once, at the beginning of a program.
 */

#include <stddef.h>

#include "core/samples.h"

void y_init(void);

double y1_measure(void *unused);
double y2_measure(void *unused);
double y2_cpu_measure(void *unused); /* in time that the thread ran */
double y3_measure(void *unused);

/* The i-th of any number of 20-byte names, into 21 bytes. */
#define Y_NAME_LEN 20u
void y_name(char name[Y_NAME_LEN + 1], size_t i);

/* A usual sample: 0 <= i. Its strings live as long as the program. */
#define Y_BATCH 500u
void y_sample(size_t i, ts__sample_t *sample);

/* Y2's batch: its text, and what zlib makes of it. */
ts__str_t y2_json(void);
size_t y2_compressed_len(void);

#endif /* BENCH_YARDSTICKS_H */
