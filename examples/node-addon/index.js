// SPDX-License-Identifier: Apache-2.0
'use strict';

const {addon} = require('./js/native.js');
const {Client} = require('./js/client.js');
const {Breaker, Breakers} = require('./js/breakers.js');
const {RedisStore} = require('./js/stores.js');
const {Latency} = require('./js/site.js');
const {
  TripSwitchError, BreakerOpenError, ConflictingOptionsError,
  MetadataUnavailableError, ClosedError, TimeoutError, TransportError, APIError,
  NotFoundError, UnauthorizedError, ForbiddenError, RateLimitedError,
  ConflictError, ValidationError, ServerFaultError, isBreakerError,
} = require('./js/errors.js');

const CONTRACT_VERSION = addon.contractVersion;
const VERSION = addon.version;

module.exports = {
  Client, Breaker, Breakers, RedisStore, Latency, CONTRACT_VERSION, VERSION,
  TripSwitchError, BreakerOpenError, ConflictingOptionsError,
  MetadataUnavailableError, ClosedError, TimeoutError, TransportError, APIError,
  NotFoundError, UnauthorizedError, ForbiddenError, RateLimitedError,
  ConflictError, ValidationError, ServerFaultError, isBreakerError,
};
