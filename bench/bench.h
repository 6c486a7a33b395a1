/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

/*
 * Measuring two sides in one run. All cases of a comparison take turns, round
 * after round, so that whatever the machine does meanwhile happens to all of
 * them; a ratio is formed within each round, and its median and quartiles over
 * the rounds are the figure. Times as such are printed too, but no goal is
 * about them.
 *
 *   int main(void) {
 *     bench_begin("call");
 *     bench_case_t cases[] = {{"Y1", y1_measure, &y1}, {"open", open, &world}};
 *     bench_run(cases, 2);
 *     bench_goal("H3.open", "rejected by an open breaker", "Y1",
 *                bench_ratio(&cases[1], &cases[0]), BENCH_AT_MOST, 0.5);
 *     return bench_end();
 *   }
 *
 * Each figure with a goal becomes a line like
 *
 *   goal H3.open 0.31 <= 0.50 Y1 met
 *
 * and, in the file named by BENCH_RESULTS, a line for summary.py. A missed goal
 * is no failure; a measurement that could not be made is (bench_require).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_MAX_ROUNDS 1000

/* A median and its quartiles. */
typedef struct bench_figure_s {
  double median;
  double low;
  double high;
} bench_figure_t;

typedef struct bench_case_s {
  const char *name;
  /* One round: do it some number of times. Returns what one took, in ns. */
  double (*measure)(void *arg);
  void *arg;

  double rounds[BENCH_MAX_ROUNDS]; /* filled by the run */
  size_t count;
} bench_case_t;

typedef enum bench_sense_e { BENCH_AT_MOST, BENCH_AT_LEAST } bench_sense_t;

/* Of each program, first. */
void bench_begin(const char *program);

/* The exit status. */
int bench_end(void);

/*
 * One round to warm up, then as many as BENCH_ROUNDS (the environment) says, or
 * 101; for cases whose rounds are long, give the number. Prints every case.
 */
void bench_run(bench_case_t *cases, size_t count);
void bench_run_rounds(bench_case_t *cases, size_t count, size_t rounds);

/* The figure of a case by itself, and against another of the same run. */
bench_figure_t bench_figure(const bench_case_t *subject);
bench_figure_t bench_ratio(const bench_case_t *subject,
                           const bench_case_t *yardstick);

/* A figure that was counted rather than measured. */
bench_figure_t bench_exact(double value);

/* A figure that has a goal; `unit` may be "". */
void bench_goal(const char *goal, const char *what, const char *unit,
                bench_figure_t figure, bench_sense_t sense, double limit);

/* A line of the table without a goal. */
void bench_line(const char *name, const char *what, const char *unit,
                bench_figure_t figure);

/* A goal that cannot be measured here, and why. */
void bench_skip(const char *goal, const char *what, const char *why);

/* A figure without a goal, for the reader. */
void bench_note(const char *what, const char *unit, bench_figure_t figure);

/* The measurement is broken unless this holds: says why, and exits with 1. */
void bench_require(bool holds, const char *why);

/* The same of one case's share in another, in per cent. */
void bench_note_share(const char *what, const bench_case_t *subject,
                      const bench_case_t *whole);

/* Monotonic nanoseconds, and those that the calling thread has run: for what is
 * too long not to be interrupted by other programs now and then. */
uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void);

/* Keep the compiler from leaving out what leads to this value. */
static inline void bench_keep(uint64_t value) {
  __asm__ volatile("" : : "r"(value) : "memory");
}

#endif /* BENCH_BENCH_H */
