// SPDX-License-Identifier: Apache-2.0
'use strict';

/** What all errors of this package are. `code` is the library's name for it. */
class TripSwitchError extends Error {
  constructor(message, code) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A breaker did not let the call pass; its task was not run. */
class BreakerOpenError extends TripSwitchError {
  constructor(breaker, details = {}) {
    super(breaker ? `breaker is open: ${breaker}` : 'breaker is open',
          'TS_EOPEN');
    this.breaker = breaker;
    this.reason = details.reason ?? 'open';
    this.allowRate = details.allowRate ?? 0;
    this.retryAfter = details.retryAfter ?? 0;
  }
}

/** Both a static choice and a selector for the same thing. */
class ConflictingOptionsError extends TripSwitchError {
  constructor(message = 'conflicting execute options') {
    super(message, 'TS_ECONFLICT');
  }
}

/** A selector, but the metadata it chooses from was never fetched. */
class MetadataUnavailableError extends TripSwitchError {
  constructor(message = 'metadata cache unavailable') {
    super(message, 'TS_ENOMETADATA');
  }
}

/** The client, or the registry, is closing or closed. */
class ClosedError extends TripSwitchError {}

/** A time limit passed: of a call, of a flush, of the start. */
class TimeoutError extends TripSwitchError {}

/** No answer: the network, TLS, the proxy. */
class TransportError extends TripSwitchError {}

/** The service answered with something else than success. */
class APIError extends TripSwitchError {
  constructor(message, code, reply = {}) {
    super(message, code);
    this.status = reply.status ?? 0;
    this.requestId = reply.requestId ?? '';
    this.retryAfter = reply.retryAfter >= 0 ? reply.retryAfter : null;
  }
}
class NotFoundError extends APIError {}
class UnauthorizedError extends APIError {}
class ForbiddenError extends APIError {}
class RateLimitedError extends APIError {}
class ConflictError extends APIError {}
class ValidationError extends APIError {}
class ServerFaultError extends APIError {}

const byStatus = {
  400: ValidationError, 401: UnauthorizedError, 403: ForbiddenError,
  404: NotFoundError, 409: ConflictError, 422: ValidationError,
  429: RateLimitedError,
};

const byCode = {
  TS_ECONFLICT: ConflictingOptionsError,
  TS_ENOMETADATA: MetadataUnavailableError,
  TS_ECLOSED: ClosedError,
  TS_ETIMEDOUT: TimeoutError,
};

/** The error of a code, described as [name, text]; with the service's reply,
 * if there is one. */
function errorOf([code, text], reply) {
  if (reply?.status >= 300) {
    const kind = reply.status >= 500 ? ServerFaultError
                                     : byStatus[reply.status] ?? APIError;
    return new kind(text, code, reply);
  }
  const kind = byCode[code];
  if (kind === ConflictingOptionsError || kind === MetadataUnavailableError) {
    return new kind(text);
  }
  return new (kind ?? (reply ? TransportError : TripSwitchError))(text, code);
}

/** What C makes of options; what it throws becomes an error of this package. */
function made(make) {
  try {
    return make();
  } catch (error) {
    throw errorOf([error.code, error.message]);
  }
}

/** True for a call that was not made because a breaker rejected it, and for
 * nothing else. */
function isBreakerError(error) {
  return error instanceof BreakerOpenError;
}

/** What a callback threw that nobody can be told of reaches uncaughtException
 * and does not change the call's outcome. */
function throwLater(error) {
  process.nextTick(() => {
    throw error;
  });
}

module.exports = {
  TripSwitchError, BreakerOpenError, ConflictingOptionsError,
  MetadataUnavailableError, ClosedError, TimeoutError, TransportError, APIError,
  NotFoundError, UnauthorizedError, ForbiddenError, RateLimitedError,
  ConflictError, ValidationError, ServerFaultError, errorOf, isBreakerError,
  made, throwLater,
};
