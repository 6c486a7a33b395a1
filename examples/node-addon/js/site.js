// SPDX-License-Identifier: Apache-2.0
'use strict';

// A site is a guard in C: a call's breakers, router and metrics, looked up
// once. Calls that say the same share one, whether or not they give the same
// object; what only JavaScript can do with a call (its functions) is not part
// of it.

const {addon} = require('./native.js');
const check = require('./check.js');
const {errorOf} = require('./errors.js');

const Latency = Symbol.for('tripswitch.latency');

const MOST_SITES = 256;
const NO_BREAKERS = Object.freeze([]);

// NaN stands for the latency, in C too.
const LATENCY = NaN;

class Site {
  constructor(client, breakers, options) {
    this.breakers = breakers.slice();
    this.router = options.router;
    this.timeout = options.timeout ?? 0;
    this.metricNames = [];
    this.metricValues = [];
    // Metrics that JavaScript tells at the end, if there is a router for them.
    this.functions = false;
    for (const name in options.metrics) {
      const value = options.metrics[name];
      if (typeof value === 'function') {
        this.functions = true;
        continue;
      }
      this.metricNames.push(name);
      this.metricValues.push(value === Latency ? LATENCY : value);
    }
    this.moreMetrics =
        this.functions || options.deferredMetrics !== undefined;
    this.id = addon.guardNew(client, {
      breakers: this.breakers,
      router: this.router,
      timeout: this.timeout,
      metricNames: this.metricNames,
      metricValues: this.metricValues,
      moreMetrics: this.moreMetrics || undefined,
      tags: options.staticTags,
      traceId: options.staticTraceId,
    });
    if (this.id < 0) {
      throw errorOf(addon.describe(this.id));
    }
  }

  free() {
    addon.guardFree(this.id);
  }

  /** Is this the site of a call with these? Makes no garbage. */
  fits(breakers, options) {
    if (this.router !== options.router ||
        this.timeout !== (options.timeout ?? 0) ||
        this.breakers.length !== breakers.length) {
      return false;
    }
    for (let i = 0; i < breakers.length; i++) {
      if (this.breakers[i] !== breakers[i]) {
        return false;
      }
    }
    return this.fitsMetrics(options);
  }

  fitsMetrics(options) {
    let count = 0;
    let functions = false;
    const metrics = options.metrics;
    for (const name in metrics) {
      const value = metrics[name];
      if (typeof value === 'function') {
        functions = true;
      } else if (this.metricNames[count] !== name ||
                 !Object.is(this.metricValues[count],
                            value === Latency ? LATENCY : value)) {
        return false;
      } else {
        count++;
      }
    }
    return count === this.metricNames.length && functions === this.functions &&
           this.moreMetrics ===
               (functions || options.deferredMetrics !== undefined);
  }
}

/** Types, and what excludes each other. */
function checkOptions(options, breakers) {
  if (options.router !== undefined) {
    check.text(options.router, 'router');
  }
  if (options.timeout !== undefined && !(options.timeout > 0 &&
                                         Number.isFinite(options.timeout))) {
    check.complain('timeout', 'a number of milliseconds above 0');
  }
  check.texts(breakers, 'breakers');
  for (const name of ['deferredMetrics', 'errorEvaluator']) {
    if (options[name] !== undefined) {
      check.callback(options[name], name);
    }
  }
  for (const name in options.metrics) {
    const value = options.metrics[name];
    check.text(name, 'metrics');
    if (value !== Latency && typeof value !== 'function' &&
        !Number.isFinite(value)) {
      check.complain(`metrics.${name}`,
                     'Latency, a finite number or a function');
    }
  }
}

/** The sites of one client. */
class Sites {
  constructor(client) {
    this.client = client;
    this.byBreaker = new Map();
    this.count = 0;
  }

  find(breakers, options) {
    const first = breakers.length > 0 ? breakers[0] : '';
    const sites = this.byBreaker.get(first);
    if (sites !== undefined) {
      for (let i = 0; i < sites.length; i++) {
        if (sites[i].fits(breakers, options)) {
          return sites[i];
        }
      }
    }
    return this.make(first, breakers, options);
  }

  make(first, breakers, options) {
    checkOptions(options, breakers);
    const site = new Site(this.client, breakers, options);
    if (this.count >= MOST_SITES) {
      this.free();
    }
    const sites = this.byBreaker.get(first) ?? [];
    sites.push(site);
    this.byBreaker.set(first, sites);
    this.count++;
    return site;
  }

  /** Calls under way are not touched. */
  free() {
    for (const sites of this.byBreaker.values()) {
      for (const site of sites) {
        site.free();
      }
    }
    this.byBreaker.clear();
    this.count = 0;
  }
}

module.exports = {Latency, NO_BREAKERS, Site, Sites, checkOptions};
