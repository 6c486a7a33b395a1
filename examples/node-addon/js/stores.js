// SPDX-License-Identifier: Apache-2.0
'use strict';

const {addon, listeners, log, EVENT} = require('./native.js');
const check = require('./check.js');
const {ClosedError, made} = require('./errors.js');

const OPTIONS = {
  host: 'text', port: 'integer', username: 'text', password: 'text',
  database: 'integer', prefix: 'text', tls: 'boolean', caFile: 'text',
  caPath: 'text', caPem: 'text', certFile: 'text', keyFile: 'text',
  certPem: 'text', keyPem: 'text', connectTimeout: 'integer',
  operationTimeout: 'integer', reconnectMin: 'integer', reconnectMax: 'integer',
  logLevel: ['debug', 'info', 'warn', 'error', 'off'], logger: 'logger',
};

const stores = new Map(); // those that are not closed, by number

/** Where the breakers of many processes meet. */
class RedisStore {
  #id;
  #logger;
  #closed;
  #closedWaiter;

  constructor(options = {}) {
    const checked = check.members(options, OPTIONS);
    this.#logger = checked.logger ?? console;
    this.#id = made(() => addon.storeNew(checked));
    stores.set(this.#id, this);
  }

  /** The number of a store that somebody gave as an option. */
  static number(store) {
    if (!(store instanceof RedisStore)) {
      check.complain('store', 'a RedisStore');
    }
    if (store.#closed !== undefined) {
      throw new ClosedError('the store is closed', 'TS_ECLOSED');
    }
    return store.#id;
  }

  /** At any time; breakers that use it go on alone. */
  close() {
    if (this.#closed === undefined) {
      this.#closed = new Promise((resolve) => {
        this.#closedWaiter = resolve;
      });
      addon.storeClose(this.#id);
    }
    return this.#closed;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  static {
    listeners[EVENT.STORE_LOG] = (id, ...line) => {
      const store = stores.get(id);
      if (store !== undefined) {
        log(store.#logger, ...line);
      }
    };
    listeners[EVENT.STORE_CLOSED] = (id) => {
      const store = stores.get(id);
      stores.delete(id);
      store.#closedWaiter();
    };
  }
}

module.exports = {RedisStore};
