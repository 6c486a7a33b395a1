/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/ddb_json.h"

#include "base/bounds.h"
#include "base/err.h"
#include "wire/json_write.h"

/* Names that one request may have. */
#define MAX_NAMES 48u

/* ------------------------------------------------------------------ values */

static int write_quoted_int(ts__buf_t *buf, int64_t number) {
  int error = ts__buf_append_char(buf, '"');
  if (error == 0) {
    error = ts__json_write_int(buf, number);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '"');
}

static int write_inner(ts__buf_t *buf, const ts__ddb_value_t *value) {
  static const char *const fronts[] = {"{\"N\":", "{\"S\":", "{\"SS\":["};
  int error = ts__buf_append(buf, ts__str(fronts[value->kind]));
  if (error != 0) {
    return error;
  }
  return value->kind == TS__DDB_N ? write_quoted_int(buf, value->number)
                                  : ts__json_write_string(buf, value->text);
}

static int write_value(ts__buf_t *buf, const ts__ddb_value_t *value) {
  const int error = write_inner(buf, value);
  return error != 0
             ? error
             : ts__buf_append(buf, value->kind == TS__DDB_SS ? TS__STR("]}")
                                                             : TS__STR("}"));
}

static int write_member(ts__buf_t *buf, const ts__ddb_value_t *value,
                        bool first) {
  int error = ts__buf_printf(buf, "%s\"%s\":", first ? "" : ",", value->name);
  return error != 0 ? error : write_value(buf, value);
}

int ts__ddb_write_item(ts__buf_t *buf, const ts__ddb_value_t *values,
                       size_t count) {
  int error = ts__buf_append_char(buf, '{');
  for (size_t i = 0; i < count && error == 0; i++) {
    error = write_member(buf, &values[i], i == 0);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

/* ------------------------------------------------------------- expressions */

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_';
}

/* The next word of the expression that begins with `mark`, or an empty text. */
static ts__str_t next_word(const char **at, char mark) {
  const char *front = *at != NULL ? strchr(*at, mark) : NULL;
  if (front == NULL) {
    return TS__STR_EMPTY;
  }
  const char *end = front + 1;
  while (is_word(*end)) {
    end++;
  }
  *at = end;
  return (ts__str_t){front, (size_t)(end - front)};
}

static bool uses(const char *expression, ts__str_t word) {
  const char *at = expression;
  for (ts__str_t found = next_word(&at, word.ptr[0]); found.len > 0;
       found = next_word(&at, word.ptr[0])) {
    if (ts__str_eq(found, word)) {
      return true;
    }
  }
  return false;
}

typedef struct names_s {
  ts__str_t words[MAX_NAMES];
  size_t count;
} names_t;

static void collect(names_t *names, const char *expression) {
  const char *at = expression;
  for (ts__str_t word = next_word(&at, '#'); word.len > 0;
       word = next_word(&at, '#')) {
    size_t i = 0;
    while (i < names->count && !ts__str_eq(names->words[i], word)) {
      i++;
    }
    if (i == names->count && i < MAX_NAMES) {
      names->words[names->count++] = word;
    }
  }
}

static int write_names(ts__buf_t *buf, const ts__ddb_update_t *update) {
  names_t names = {.count = 0};
  collect(&names, update->update);
  collect(&names, update->condition);
  int error = ts__buf_append(buf, TS__STR(",\"ExpressionAttributeNames\":{"));
  for (size_t i = 0; i < names.count && error == 0; i++) {
    const ts__str_t word = names.words[i];
    error = ts__buf_printf(buf, "%s\"%.*s\":\"%.*s\"", i > 0 ? "," : "",
                           (int)word.len, word.ptr, (int)word.len - 1,
                           word.ptr + 1);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

static int write_values(ts__buf_t *buf, const ts__ddb_update_t *update) {
  bool any = false;
  int error = 0;
  for (size_t i = 0; i < update->value_count && error == 0; i++) {
    const ts__ddb_value_t *value = &update->values[i];
    const ts__str_t word = ts__str(value->name);
    if (uses(update->update, word) || uses(update->condition, word)) {
      error = any ? 0
                  : ts__buf_append(buf,
                                   TS__STR(",\"ExpressionAttributeValues\":{"));
      if (error == 0) {
        error = write_member(buf, value, !any);
      }
      any = true;
    }
  }
  return error != 0 || !any ? error : ts__buf_append_char(buf, '}');
}

/* ---------------------------------------------------------------- requests */

static int write_table(ts__buf_t *buf, ts__str_t table) {
  const int error = ts__buf_append(buf, TS__STR("{\"TableName\":"));
  return error != 0 ? error : ts__json_write_string(buf, table);
}

static int write_key(ts__buf_t *buf, const ts__ddb_key_t *key) {
  const ts__ddb_value_t value = TS__DDB_TEXT(key->name, key->value);
  return ts__ddb_write_item(buf, &value, 1);
}

static int write_head(ts__buf_t *buf, const ts__ddb_key_t *key) {
  int error = write_table(buf, key->table);
  if (error == 0) {
    error = ts__buf_append(buf, TS__STR(",\"Key\":"));
  }
  return error != 0 ? error : write_key(buf, key);
}

static int write_expression(ts__buf_t *buf, const char *name,
                            const char *expression) {
  if (expression == NULL) {
    return 0;
  }
  const int error = ts__buf_printf(buf, ",\"%s\":", name);
  return error != 0 ? error : ts__json_write_string(buf, ts__str(expression));
}

int ts__ddb_write_update(ts__buf_t *buf, const ts__ddb_update_t *update) {
  int error = write_head(buf, &update->key);
  if (error == 0) {
    error = write_expression(buf, "UpdateExpression", update->update);
  }
  if (error == 0) {
    error = write_expression(buf, "ConditionExpression", update->condition);
  }
  if (error == 0) {
    error = write_names(buf, update);
  }
  if (error == 0) {
    error = write_values(buf, update);
  }
  return error != 0 ? error
                    : ts__buf_printf(buf,
                                     ",\"ReturnValues\":\"%s\","
                                     "\"ReturnValuesOnConditionCheckFailure\":"
                                     "\"ALL_OLD\"}",
                                     update->returns);
}

int ts__ddb_write_get(ts__buf_t *buf, const ts__ddb_key_t *key,
                      bool consistent) {
  const int error = write_head(buf, key);
  return error != 0
             ? error
             : ts__buf_append(buf, consistent ? TS__STR(",\"ConsistentRead\":"
                                                        "true}")
                                              : TS__STR("}"));
}

int ts__ddb_batch_begin(ts__buf_t *buf, ts__str_t table) {
  int error = ts__buf_append(buf, TS__STR("{\"RequestItems\":{"));
  if (error == 0) {
    error = ts__json_write_string(buf, table);
  }
  return error != 0 ? error : ts__buf_append(buf, TS__STR(":{\"Keys\":["));
}

int ts__ddb_batch_add(ts__buf_t *buf, const ts__ddb_key_t *key) {
  const bool first = buf->ptr[buf->len - 1] == '[';
  const int error = first ? 0 : ts__buf_append_char(buf, ',');
  return error != 0 ? error : write_key(buf, key);
}

int ts__ddb_batch_end(ts__buf_t *buf) {
  return ts__buf_append(buf, TS__STR("]}}}"));
}

int ts__ddb_write_create(ts__buf_t *buf, const ts__ddb_key_t *key) {
  const int error = write_table(buf, key->table);
  return error != 0 ? error
                    : ts__buf_printf(
                          buf,
                          ",\"BillingMode\":\"PAY_PER_REQUEST\","
                          "\"AttributeDefinitions\":[{\"AttributeName\":\"%s\","
                          "\"AttributeType\":\"S\"}],\"KeySchema\":[{"
                          "\"AttributeName\":\"%s\",\"KeyType\":\"HASH\"}]}",
                          key->name, key->name);
}

int ts__ddb_write_describe(ts__buf_t *buf, ts__str_t table) {
  const int error = write_table(buf, table);
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

int ts__ddb_write_ttl(ts__buf_t *buf, ts__str_t table, const char *attribute) {
  const int error = write_table(buf, table);
  return error != 0
             ? error
             : ts__buf_printf(buf,
                              ",\"TimeToLiveSpecification\":{"
                              "\"AttributeName\":\"%s\",\"Enabled\":true}}",
                              attribute);
}

/* ------------------------------------------------------------------ errors */

typedef struct named_s {
  const char *name;
  ts__ddb_error_t error;
} named_t;

static const named_t errors[] = {
    {"ConditionalCheckFailedException", TS__DDB_CONDITION},
    {"ResourceNotFoundException", TS__DDB_NOT_FOUND},
    {"ResourceInUseException", TS__DDB_IN_USE},
    {"TableAlreadyExistsException", TS__DDB_IN_USE},
    {"ThrottlingException", TS__DDB_THROTTLED},
    {"ProvisionedThroughputExceededException", TS__DDB_THROTTLED},
    {"RequestLimitExceeded", TS__DDB_THROTTLED},
    {"LimitExceededException", TS__DDB_THROTTLED},
    {"TransactionConflictException", TS__DDB_SERVER},
    {"InternalServerError", TS__DDB_SERVER},
    {"InternalServerErrorException", TS__DDB_SERVER},
    {"ServiceUnavailable", TS__DDB_SERVER},
    {"RequestTimeTooSkewed", TS__DDB_SKEW},
    {"RequestExpired", TS__DDB_SKEW},
    {"InvalidSignatureException", TS__DDB_AUTH},
    {"IncompleteSignatureException", TS__DDB_AUTH},
    {"IncompleteSignature", TS__DDB_AUTH},
    {"SignatureDoesNotMatch", TS__DDB_AUTH},
    {"UnrecognizedClientException", TS__DDB_AUTH},
    {"MissingAuthenticationTokenException", TS__DDB_AUTH},
    {"MissingAuthenticationToken", TS__DDB_AUTH},
    {"InvalidClientTokenId", TS__DDB_AUTH},
    {"NotAuthorizedException", TS__DDB_AUTH},
    {"AccessDeniedException", TS__DDB_AUTH},
    {"ExpiredTokenException", TS__DDB_AUTH},
    {"ExpiredToken", TS__DDB_AUTH},
};

/* Some services say of a skewed clock that the signature is wrong, and why. */
static bool tells_of_skew(ts__str_t message) {
  return ts__str_starts_with(message, TS__STR("Signature expired")) ||
         ts__str_starts_with(message, TS__STR("Signature not yet current"));
}

static ts__ddb_error_t error_of(const ts__ddb_answer_t *answer, int status) {
  if (tells_of_skew(answer->message)) {
    return TS__DDB_SKEW;
  }
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    if (ts__str_eq(answer->type, ts__str(errors[i].name))) {
      return errors[i].error;
    }
  }
  if (status == 429) {
    return TS__DDB_THROTTLED;
  }
  return status >= 500                    ? TS__DDB_SERVER
         : status == 401 || status == 403 ? TS__DDB_AUTH
                                          : TS__DDB_INVALID;
}

/* "com.amazonaws.dynamodb.v20120810#ThrottlingException": what is behind the
 * namespace. */
static ts__str_t bare_type(ts__str_t type) {
  for (size_t i = type.len; i > 0; i--) {
    if (type.ptr[i - 1] == '#') {
      return (ts__str_t){type.ptr + i, type.len - i};
    }
  }
  return type;
}

static void read_error(ts__ddb_answer_t *answer, int status) {
  const ts__json_t *root = ts__json_root(answer->doc);
  ts__str_t type = TS__STR_EMPTY;
  (void)(ts__json_string(ts__json_get(root, "message"), &answer->message) ||
         ts__json_string(ts__json_get(root, "Message"), &answer->message));
  (void)ts__json_string(ts__json_get(root, "__type"), &type);
  answer->type = bare_type(type);
  answer->error = error_of(answer, status);
}

/* ----------------------------------------------------------------- answers */

int ts__ddb_read(ts__ddb_answer_t *answer, int status, ts__str_t body) {
  *answer = (ts__ddb_answer_t){
      .error = TS__DDB_FINE, .type = TS__STR_EMPTY, .message = TS__STR_EMPTY};
  const bool fine = status >= 200 && status < 300;
  int error = ts__json_parse(&answer->doc, body, TS__MAX_BODY);
  if (error == TS__ENOMEM) {
    return error;
  }
  const ts__json_t *root = ts__json_root(answer->doc);
  if (fine && ts__json_type(root) != TS__JSON_OBJECT) {
    answer->error = TS__DDB_BAD;
    return 0;
  }
  if (!fine) {
    read_error(answer, status);
  }
  static const char *const members[] = {"Item", "Attributes", "Table"};
  for (size_t i = 0; i < 3 && answer->item == NULL; i++) {
    answer->item = ts__json_get(root, members[i]);
  }
  return 0;
}

void ts__ddb_answer_deinit(ts__ddb_answer_t *answer) {
  ts__json_free(answer->doc);
  *answer = (ts__ddb_answer_t){0};
}

const ts__json_t *ts__ddb_next(const ts__ddb_answer_t *answer,
                               const char *table, size_t *at) {
  const ts__json_t *root = ts__json_root(answer->doc);
  return ts__json_at(ts__json_get(ts__json_get(root, "Responses"), table),
                     (*at)++);
}

bool ts__ddb_is_whole(const ts__ddb_answer_t *answer) {
  const ts__json_t *left =
      ts__json_get(ts__json_root(answer->doc), "UnprocessedKeys");
  void *cursor = NULL;
  ts__str_t table;
  const ts__json_t *keys = NULL;
  return left == NULL || !ts__json_next(left, &cursor, &table, &keys);
}

/* -------------------------------------------------------------- attributes */

/* A decimal number as DynamoDB writes whole ones: no sign but a minus, no
 * point, no exponent. */
static bool read_int(ts__str_t text, int64_t *number) {
  const bool negative = text.len > 0 && text.ptr[0] == '-';
  uint64_t magnitude = 0;
  if (negative) {
    text = (ts__str_t){text.ptr + 1, text.len - 1};
  }
  if (!ts__str_to_u64(text, &magnitude) || magnitude > INT64_MAX) {
    return false;
  }
  *number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

bool ts__ddb_number(const ts__json_t *item, const char *name, int64_t *number) {
  ts__str_t text;
  return ts__json_string(ts__json_get(ts__json_get(item, name), "N"), &text) &&
         read_int(text, number);
}

bool ts__ddb_text(const ts__json_t *item, const char *name, ts__str_t *text) {
  return ts__json_string(ts__json_get(ts__json_get(item, name), "S"), text);
}

bool ts__ddb_has(const ts__json_t *item, const char *name) {
  return ts__json_get(item, name) != NULL;
}

static const ts__json_t *set_of(const ts__json_t *item, const char *name) {
  return ts__json_get(ts__json_get(item, name), "SS");
}

size_t ts__ddb_set_count(const ts__json_t *item, const char *name) {
  return ts__json_count(set_of(item, name));
}

ts__str_t ts__ddb_set_at(const ts__json_t *item, const char *name, size_t i) {
  ts__str_t text = TS__STR_EMPTY;
  (void)ts__json_string(ts__json_at(set_of(item, name), i), &text);
  return text;
}
