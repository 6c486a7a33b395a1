/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/err.h"
#include "breaker/internal.h"
#include "breaker/store.h"

/* Breakers by template: a base, the keys of a context, and the options that
 * belong to the base. */

/* Of a template; more would not be a name. */
#define MAX_KEYS 16u

/* Options, and the list of expected errors they point to. */
typedef struct rule_s {
  struct rule_s *next;
  ts_breaker_options_t options;
  int *expected;
  ts_store_t *store; /* one reference, if there is one */
  char *base;        /* NULL: of all others */
} rule_t;

struct ts_factory_s {
  ts_registry_t *registry;
  ts__mem_t mem;
  char *name_template;
  rule_t *rules; /* the last one is that of all others */
};

static void rule_free(const ts__mem_t *mem, rule_t *rule) {
  if (rule != NULL && rule->store != NULL) {
    ts__store_unref(rule->store);
  }
  if (rule != NULL) {
    ts__free(mem, rule->expected);
    ts__free(mem, rule->base);
    ts__free(mem, rule);
  }
}

static int copy_expected(const ts__mem_t *mem, rule_t *rule) {
  const size_t count = rule->options.expected_count;
  if (count == 0) {
    return 0;
  }
  rule->expected = ts__realloc_array(mem, NULL, count, sizeof(int));
  if (rule->expected == NULL) {
    return TS__ENOMEM;
  }
  memcpy(rule->expected, rule->options.expected, count * sizeof(int));
  rule->options.expected = rule->expected;
  return 0;
}

static int rule_new(ts_registry_t *registry, const char *base,
                    const ts_breaker_options_t *options, rule_t **result) {
  const ts__mem_t *mem = &registry->mem;
  rule_t *rule = ts__calloc(mem, 1, sizeof *rule);
  if (rule == NULL) {
    return TS__ENOMEM;
  }
  int error = ts__registry_read_rule(registry, base != NULL ? base : "",
                                     options, &rule->options);
  if (error == 0) {
    error = copy_expected(mem, rule);
  }
  if (error == 0 && rule->options.store != NULL) {
    rule->store = ts__store_ref(rule->options.store);
  }
  if (error == 0 && base != NULL) {
    rule->base = ts__strdup(mem, base);
    error = rule->base != NULL ? 0 : TS__ENOMEM;
  }
  if (error != 0) {
    rule_free(mem, rule);
    return error;
  }
  *result = rule;
  return 0;
}

int ts_factory_new(ts_factory_t **result, ts_registry_t *registry,
                   const char *name_template,
                   const ts_breaker_options_t *options) {
  if (result == NULL || registry == NULL || ts__is_blank(name_template)) {
    return TS__EINVAL;
  }
  *result = NULL;
  ts_factory_t *factory = ts__calloc(&registry->mem, 1, sizeof *factory);
  if (factory == NULL) {
    return TS__ENOMEM;
  }
  factory->registry = registry;
  factory->mem = registry->mem;
  factory->name_template = ts__strdup(&factory->mem, name_template);
  int error = factory->name_template != NULL ? 0 : TS__ENOMEM;
  if (error == 0) {
    error = rule_new(registry, NULL, options, &factory->rules);
  }
  if (error != 0) {
    ts_factory_free(factory);
    return error;
  }
  *result = factory;
  return 0;
}

void ts_factory_free(ts_factory_t *factory) {
  if (factory == NULL) {
    return;
  }
  const ts__mem_t mem = factory->mem;
  while (factory->rules != NULL) {
    rule_t *next = factory->rules->next;
    rule_free(&mem, factory->rules);
    factory->rules = next;
  }
  ts__free(&mem, factory->name_template);
  ts__free(&mem, factory);
}

/* The base's own, or that of all others. */
static rule_t *find_rule(const ts_factory_t *factory, const char *base) {
  rule_t *rule = factory->rules;
  while (rule->base != NULL && strcmp(rule->base, base) != 0) {
    rule = rule->next;
  }
  return rule;
}

int ts_factory_set_options(ts_factory_t *factory, const char *base,
                           const ts_breaker_options_t *options) {
  rule_t *rule = NULL;
  if (factory == NULL || ts__is_blank(base)) {
    return TS__EINVAL;
  }
  if (find_rule(factory, base)->base != NULL) {
    TS__LOG(&factory->registry->log, TS_LOG_ERROR,
            "the factory has options for this base already", {"base", base});
    return -EEXIST;
  }
  const int error = rule_new(factory->registry, base, options, &rule);
  if (error == 0) {
    rule->next = factory->rules;
    factory->rules = rule;
  }
  return error;
}

int ts_factory_get(ts_factory_t *factory, const char *base,
                   const ts_name_key_t *keys, size_t key_count,
                   ts_breaker_t **breaker) {
  ts_name_key_t all[MAX_KEYS];
  char name[TS__MAX_LOCAL_NAME + 1];
  if (breaker == NULL) {
    return TS__EINVAL;
  }
  *breaker = NULL;
  if (factory == NULL || ts__is_blank(base) || key_count >= MAX_KEYS ||
      (keys == NULL && key_count > 0)) {
    return TS__EINVAL;
  }
  all[0] = (ts_name_key_t){"base", base};
  if (key_count > 0) {
    memcpy(&all[1], keys, key_count * sizeof *keys);
  }
  const int len = ts_breaker_name_fmt(name, sizeof name, factory->name_template,
                                      all, key_count + 1);
  if (len < 0) {
    TS__LOG(&factory->registry->log, TS_LOG_ERROR,
            "the template makes no name of these keys",
            {"template", factory->name_template}, {"base", base});
    return len;
  }
  return ts_registry_get(factory->registry, name,
                         &find_rule(factory, base)->options, breaker);
}
