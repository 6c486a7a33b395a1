/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/points.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/err.h"

#define FIRST_CAPACITY 64u

/* Beyond so many at once it is cheaper to go through all of them. */
#define MAX_POPS 64u

/* So many values are sorted rather than counted. */
#define FEW 64u

/* The running sum is made anew after so many changes, lest errors add up. */
#define MAX_UPDATES 4096u

bool ts__op_holds(ts_plane_op_t op, double value, double threshold) {
  switch (op) {
  case TS_PLANE_OP_GT:
    return value > threshold;
  case TS_PLANE_OP_GTE:
    return value >= threshold;
  case TS_PLANE_OP_LT:
    return value < threshold;
  case TS_PLANE_OP_LTE:
    return value <= threshold;
  }
  return false;
}

void ts__sum_add(ts__sum_t *sum, double value) {
  double total = sum->total + value;
  if (fabs(sum->total) >= fabs(value)) {
    sum->lost += (sum->total - total) + value;
  } else {
    sum->lost += (value - total) + sum->total;
  }
  sum->total = total;
}

double ts__sum_value(const ts__sum_t *sum) { return sum->total + sum->lost; }

void ts__points_init(ts__points_t *points, const ts__mem_t *mem) {
  *points =
      (ts__points_t){.mem = mem, .lost_ms = INT64_MIN, .op = TS_PLANE_OP_GT};
}

void ts__points_deinit(ts__points_t *points) {
  ts__free(points->mem, points->items);
  ts__points_init(points, points->mem);
}

/*
 * What is kept of all points
 */

static void begin_totals(ts__points_t *points) {
  points->failed = 0;
  points->holding = 0;
  points->sum = (ts__sum_t){0};
  points->updates = 0;
}

static void count_in(ts__points_t *points, const ts__point_t *point) {
  points->failed += !point->ok;
  points->holding += ts__op_holds(points->op, point->value, points->threshold);
  ts__sum_add(&points->sum, point->value);
}

static void count_all(ts__points_t *points) {
  begin_totals(points);
  for (size_t i = 0; i < points->count; i++) {
    count_in(points, &points->items[i]);
  }
}

static void count_out(ts__points_t *points, const ts__point_t *point) {
  points->failed -= !point->ok;
  points->holding -= ts__op_holds(points->op, point->value, points->threshold);
  ts__sum_add(&points->sum, -point->value);
}

/* After a change of the points. */
static void renew_sum(ts__points_t *points) {
  if (points->count == 0 || ++points->updates >= MAX_UPDATES) {
    count_all(points);
  }
}

void ts__points_watch(ts__points_t *points, ts_plane_op_t op,
                      double threshold) {
  points->op = op;
  points->threshold = threshold;
  count_all(points);
}

/*
 * The heap
 */

static bool is_older(const ts__point_t *a, const ts__point_t *b) {
  if (a->t_ms != b->t_ms) {
    return a->t_ms < b->t_ms;
  }
  return (int32_t)(a->arrival - b->arrival) < 0;
}

static void sift_up(ts__points_t *points, size_t at) {
  ts__point_t moving = points->items[at];
  while (at > 0) {
    size_t parent = (at - 1) / 2;
    if (!is_older(&moving, &points->items[parent])) {
      break;
    }
    points->items[at] = points->items[parent];
    at = parent;
  }
  points->items[at] = moving;
}

static void sift_down(ts__points_t *points, size_t at) {
  ts__point_t moving = points->items[at];
  size_t child;
  while ((child = 2 * at + 1) < points->count) {
    const ts__point_t *items = points->items;
    if (child + 1 < points->count &&
        is_older(&items[child + 1], &items[child])) {
      child++;
    }
    if (!is_older(&items[child], &moving)) {
      break;
    }
    points->items[at] = items[child];
    at = child;
  }
  points->items[at] = moving;
}

static void order_all(ts__points_t *points) {
  for (size_t i = points->count / 2; i > 0; i--) {
    sift_down(points, i - 1);
  }
}

static void drop_oldest(ts__points_t *points) {
  ts__point_t oldest = points->items[0];
  points->count--;
  points->items[0] = points->items[points->count];
  if (points->count > 0) {
    sift_down(points, 0);
  }
  count_out(points, &oldest);
  renew_sum(points);
}

/*
 * In and out
 */

static int resize(ts__points_t *points, size_t capacity) {
  ts__point_t *items = ts__realloc_array(points->mem, points->items, capacity,
                                         sizeof(*points->items));
  if (!items) {
    return TS__ENOMEM;
  }
  points->items = items;
  points->capacity = capacity;
  return 0;
}

int ts__points_reserve(ts__points_t *points, size_t more) {
  size_t wanted = TS__MAX_POINTS;
  if (more < TS__MAX_POINTS - points->count) {
    wanted = points->count + more;
  }
  if (wanted <= points->capacity) {
    return 0;
  }
  size_t capacity = points->capacity ? points->capacity : FIRST_CAPACITY;
  while (capacity < wanted) {
    capacity *= 2;
  }
  return resize(points, capacity < TS__MAX_POINTS ? capacity : TS__MAX_POINTS);
}

/* There is no room: the oldest goes, if the new one is not older still. */
static bool make_room(ts__points_t *points, int64_t t_ms) {
  int64_t oldest_ms = points->items[0].t_ms;
  bool is_oldest = t_ms < oldest_ms;
  int64_t lost_ms = is_oldest ? t_ms : oldest_ms;
  points->lost_ms = lost_ms > points->lost_ms ? lost_ms : points->lost_ms;
  points->lost_count++;
  if (!is_oldest) {
    drop_oldest(points);
  }
  return !is_oldest;
}

void ts__points_add(ts__points_t *points, int64_t t_ms, double value, bool ok) {
  assert(points->capacity > 0);
  if (points->count == points->capacity) {
    /* Room was reserved, so only the cap can be the reason. */
    assert(points->capacity == TS__MAX_POINTS);
    if (!make_room(points, t_ms)) {
      return;
    }
  }
  ts__point_t *point = &points->items[points->count++];
  *point = (ts__point_t){t_ms, value, points->arrivals++, ok};
  count_in(points, point);
  sift_up(points, points->count - 1);
  renew_sum(points);
}

static bool has_expired(const ts__points_t *points, int64_t upto_ms) {
  return points->count > 0 && points->items[0].t_ms <= upto_ms;
}

static void keep_newer(ts__points_t *points, int64_t upto_ms) {
  size_t kept = 0;
  for (size_t i = 0; i < points->count; i++) {
    if (points->items[i].t_ms > upto_ms) {
      points->items[kept++] = points->items[i];
    }
  }
  points->count = kept;
  order_all(points);
  count_all(points);
}

void ts__points_expire(ts__points_t *points, int64_t upto_ms) {
  for (size_t i = 0; i < MAX_POPS; i++) {
    if (!has_expired(points, upto_ms)) {
      return;
    }
    drop_oldest(points);
  }
  keep_newer(points, upto_ms);
}

void ts__points_clear(ts__points_t *points) {
  points->count = 0;
  points->lost_ms = INT64_MIN;
  count_all(points);
}

void ts__points_trim(ts__points_t *points) {
  size_t capacity = points->capacity;
  while (capacity > FIRST_CAPACITY && points->count < capacity / 4) {
    capacity /= 2;
  }
  if (capacity < points->capacity) {
    (void)resize(points, capacity);
  }
}

void ts__points_clamp(ts__points_t *points, int64_t now_ms) {
  /* Equal times keep their order: the heap stays one up to ties. */
  for (size_t i = 0; i < points->count; i++) {
    if (points->items[i].t_ms > now_ms) {
      points->items[i].t_ms = now_ms;
    }
  }
  order_all(points);
  if (points->lost_ms > now_ms) {
    points->lost_ms = now_ms;
  }
}

/*
 * Measuring
 */

/* Where the running sum has overflowed on its way, which leaves it useless. */
static double careful_mean(const ts__points_t *points) {
  ts__sum_t mean = {0};
  for (size_t i = 0; i < points->count; i++) {
    ts__sum_add(&mean, points->items[i].value / (double)points->count);
  }
  return ts__sum_value(&mean);
}

double ts__points_sum(const ts__points_t *points) {
  double sum = ts__sum_value(&points->sum);
  return isfinite(sum) ? sum : careful_mean(points) * (double)points->count;
}

double ts__points_mean(const ts__points_t *points) {
  double sum = ts__sum_value(&points->sum);
  return isfinite(sum) ? sum / (double)points->count : careful_mean(points);
}

/* Bits that are ordered as the numbers are. */
static uint64_t key_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double value_of(uint64_t key) {
  uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/* How many keys that begin as `prefix` does have each byte at `shift`. */
static void count_bytes(const ts__points_t *points, uint64_t prefix,
                        uint64_t mask, unsigned shift, size_t counts[256]) {
  memset(counts, 0, 256 * sizeof(*counts));
  for (size_t i = 0; i < points->count; i++) {
    uint64_t key = key_of(points->items[i].value);
    if ((key & mask) == prefix) {
      counts[key >> shift & 0xff]++;
    }
  }
}

/* The rank-th smallest of the few keys that begin as `prefix` does. */
static uint64_t pick(const ts__points_t *points, uint64_t prefix, uint64_t mask,
                     size_t rank) {
  uint64_t few[FEW];
  size_t count = 0;
  for (size_t i = 0; i < points->count; i++) {
    uint64_t key = key_of(points->items[i].value);
    if ((key & mask) == prefix) {
      size_t at = count++;
      for (; at > 0 && few[at - 1] > key; at--) {
        few[at] = few[at - 1];
      }
      few[at] = key;
    }
  }
  return few[rank - 1];
}

/* Byte by byte from the first, until few are left: no copy, no sorting, and no
 * bad inputs. */
double ts__points_ranked(const ts__points_t *points, size_t rank) {
  uint64_t prefix = 0;
  uint64_t mask = 0;
  size_t left = points->count;
  size_t counts[256];
  assert(rank >= 1 && rank <= points->count);
  for (unsigned shift = 64; shift > 0 && left > FEW;) {
    shift -= 8;
    count_bytes(points, prefix, mask, shift, counts);
    uint64_t byte = 0;
    while (counts[byte] < rank) {
      rank -= counts[byte++];
    }
    left = counts[byte];
    prefix |= byte << shift;
    mask |= UINT64_C(0xff) << shift;
  }
  return value_of(left > FEW ? prefix : pick(points, prefix, mask, rank));
}
