/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USUAL_ROUNDS 101

/* Where the lines for summary.py go; NULL: nowhere. */
static FILE *results;

/* Figures of such a build say nothing about the goals. */
static const char *unfit(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return "built with a sanitizer";
#elif !defined(__OPTIMIZE__)
  return "built without optimisation";
#else
  return NULL;
#endif
}

uint64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void bench_require(bool holds, const char *why) {
  if (!holds) {
    printf("broken: %s\n", why);
    exit(EXIT_FAILURE);
  }
}

void bench_begin(const char *program) {
  const char *path = getenv("BENCH_RESULTS");
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (path != NULL) {
    results = fopen(path, "w");
    bench_require(results != NULL, "the file for the results");
  }
  printf("%s%s%s\n", program, unfit() != NULL ? ", " : "",
         unfit() != NULL ? unfit() : "");
}

int bench_end(void) {
  if (results != NULL) {
    fprintf(results, "end\n");
    bench_require(fclose(results) == 0, "writing the results");
  }
  return EXIT_SUCCESS;
}

static size_t wanted_rounds(size_t usual) {
  const char *text = getenv("BENCH_ROUNDS");
  const long given = text != NULL ? atol(text) : 0;
  const size_t rounds = given > 0 ? (size_t)given : usual;
  return rounds < BENCH_MAX_ROUNDS ? rounds : BENCH_MAX_ROUNDS;
}

void bench_run_rounds(bench_case_t *cases, size_t count, size_t rounds) {
  rounds = wanted_rounds(rounds);
  for (size_t i = 0; i < count; i++) {
    (void)cases[i].measure(cases[i].arg);
    cases[i].count = rounds;
  }
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < count; i++) {
      const double took = cases[i].measure(cases[i].arg);
      bench_require(isfinite(took) && took > 0.0, cases[i].name);
      cases[i].rounds[round] = took;
    }
  }
  for (size_t i = 0; i < count; i++) {
    bench_note(cases[i].name, "ns", bench_figure(&cases[i]));
  }
}

void bench_run(bench_case_t *cases, size_t count) {
  bench_run_rounds(cases, count, USUAL_ROUNDS);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static bench_figure_t quartiles(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  return (bench_figure_t){.median = values[count / 2],
                          .low = values[count / 4],
                          .high = values[count - 1 - count / 4]};
}

bench_figure_t bench_figure(const bench_case_t *subject) {
  double values[BENCH_MAX_ROUNDS];
  memcpy(values, subject->rounds, subject->count * sizeof *values);
  return quartiles(values, subject->count);
}

bench_figure_t bench_ratio(const bench_case_t *subject,
                           const bench_case_t *yardstick) {
  double values[BENCH_MAX_ROUNDS];
  bench_require(subject->count == yardstick->count, "not of one run");
  for (size_t i = 0; i < subject->count; i++) {
    values[i] = subject->rounds[i] / yardstick->rounds[i];
  }
  return quartiles(values, subject->count);
}

bench_figure_t bench_exact(double value) {
  return (bench_figure_t){value, value, value};
}

void bench_note(const char *what, const char *unit, bench_figure_t figure) {
  printf("  %-44s %10.1f %-4s %.1f..%.1f\n", what, figure.median, unit,
         figure.low, figure.high);
}

void bench_note_share(const char *what, const bench_case_t *subject,
                      const bench_case_t *whole) {
  bench_figure_t share = bench_ratio(subject, whole);
  share.median *= 100.0;
  share.low *= 100.0;
  share.high *= 100.0;
  bench_note(what, "%", share);
}

static void record(const char *goal, const char *what, const char *figure,
                   const char *spread, const char *limit, const char *verdict) {
  if (results != NULL) {
    fprintf(results, "%s\t%s\t%s\t%s\t%s\t%s\n", goal, what, figure, spread,
            limit, verdict);
  }
}

/* Counts as they are, ratios with two decimals. */
static int decimals(double value) { return floor(value) == value ? 0 : 2; }

static void put_figure(char measured[32], char spread[64],
                       bench_figure_t figure) {
  snprintf(measured, 32, "%.*f", decimals(figure.median), figure.median);
  snprintf(spread, 64, "exact");
  if (figure.low != figure.high) {
    snprintf(spread, 64, "%.2f..%.2f", figure.low, figure.high);
  }
}

void bench_goal(const char *goal, const char *what, const char *unit,
                bench_figure_t figure, bench_sense_t sense, double limit) {
  const bool met =
      sense == BENCH_AT_MOST ? figure.median <= limit : figure.median >= limit;
  const char *sign = sense == BENCH_AT_MOST ? "<=" : ">=";
  char measured[32];
  char spread[64];
  char bound[64];
  char verdict[64];
  put_figure(measured, spread, figure);
  snprintf(bound, sizeof bound, "%s %.*f%s%s", sign,
           decimals(limit) > 0 ? 2 : 0, limit, unit[0] != '\0' ? " " : "",
           unit);
  if (unfit() != NULL) {
    snprintf(verdict, sizeof verdict, "skipped: %s", unfit());
  } else {
    snprintf(verdict, sizeof verdict, "%s", met ? "met" : "NOT MET");
  }
  printf("goal %s %s %s %s\n", goal, measured, bound, verdict);
  record(goal, what, measured, spread, bound, verdict);
}

void bench_line(const char *name, const char *what, const char *unit,
                bench_figure_t figure) {
  char measured[32];
  char spread[64];
  put_figure(measured, spread, figure);
  printf("line %s %s %s\n", name, measured, unit);
  record(name, what, measured, spread, unit, "no goal");
}

void bench_skip(const char *goal, const char *what, const char *why) {
  char verdict[256];
  snprintf(verdict, sizeof verdict, "skipped: %s", why);
  printf("goal %s %s\n", goal, verdict);
  record(goal, what, "-", "-", "-", verdict);
}
