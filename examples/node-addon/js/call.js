// SPDX-License-Identifier: Apache-2.0
'use strict';

// One call: the gate, the task, the end. `run` is the way of most calls, and
// all that it leaves behind is its promise; `runWith` is for calls of which
// JavaScript has something to tell C; `runLimited` for those that may end
// before their task does.

const {addon, window, listeners, EVENT, ENDING, SITE, CALL, CODE, UNTIMED} =
    require('./native.js');
const check = require('./check.js');
const {BreakerOpenError, TimeoutError, errorOf, throwLater} =
    require('./errors.js');

const {enter, finish} = addon;

const EOPEN = -10001;

/** Why C did not admit a call; to be asked at once. */
function refusal(code) {
  if (code !== EOPEN) {
    return errorOf(addon.describe(code));
  }
  const details = addon.rejection();
  return new BreakerOpenError(details.breaker, details);
}

/** How a call ends whose task failed: the evaluator, else the list, decides. */
function judge(options, error) {
  try {
    if (options.errorEvaluator !== undefined) {
      return options.errorEvaluator(error) ? ENDING.FAILED : ENDING.HARMLESS;
    }
    const ignored = options.ignoreErrors;
    if (ignored !== undefined &&
        ignored.some((kind) => error instanceof kind)) {
      return ENDING.HARMLESS;
    }
  } catch (thrown) {
    throwLater(thrown);
  }
  return ENDING.FAILED;
}

/* ----------------------------------------------------------- the short way */

function end(call, ending) {
  window[CALL] = call;
  window[CODE] = ending;
  finish();
}

/** -1 and the rest below 0: not admitted. */
function begin(site) {
  window[SITE] = site.id;
  enter();
  return window[CALL];
}

/** The rest of a call that is admitted. */
async function proceed(call, options, task) {
  if (call === UNTIMED) {
    return await task();
  }
  let result;
  try {
    result = await task();
  } catch (error) {
    end(call, judge(options, error));
    throw error;
  }
  end(call, ENDING.OK);
  return result;
}

async function run(site, options, task) {
  window[SITE] = site.id;
  enter();
  const call = window[CALL];
  if (call < 0) {
    throw refusal(call);
  }
  if (call === UNTIMED) {
    return await task();
  }
  let result;
  try {
    result = await task();
  } catch (error) {
    end(call, judge(options, error));
    throw error;
  }
  window[CALL] = call;
  window[CODE] = ENDING.OK;
  finish();
  return result;
}

/* ---------------------------------------------------- with more to be told */

function beginWith(site, options) {
  const {traceId, tags, signal, timeout} = options;
  if (traceId === undefined && tags === undefined && signal === undefined &&
      timeout === undefined) {
    return begin(site);
  }
  const flat = tags === undefined ? undefined : check.tags(tags, 'tags');
  window[SITE] = site.id;
  addon.enterWith(
      traceId === undefined ? undefined : check.text(traceId, 'traceId'), flat);
  return window[CALL];
}

/** One metric function; what it throws is not the call's business. */
function ask(names, values, name, metric) {
  try {
    const value = metric();
    names.push(name);
    values.push(value);
  } catch (thrown) {
    throwLater(thrown);
  }
}

function askDeferred(names, values, options, error, result) {
  try {
    const pairs = options.deferredMetrics(result, error);
    for (const name in pairs) {
      names.push(name);
      values.push(pairs[name]);
    }
  } catch (thrown) {
    throwLater(thrown);
  }
}

function askTraceId(extractor) {
  try {
    return extractor?.();
  } catch (thrown) {
    throwLater(thrown);
    return undefined;
  }
}

function endWith(call, site, options, extractor, ending, error, result) {
  const names = [];
  const values = [];
  if (site.router) {
    for (const name in options.metrics) {
      if (typeof options.metrics[name] === 'function') {
        ask(names, values, name, options.metrics[name]);
      }
    }
    if (options.deferredMetrics !== undefined) {
      askDeferred(names, values, options, error, result);
    }
  }
  const traceId =
      options.traceId === undefined ? askTraceId(extractor) : undefined;
  window[CALL] = call;
  window[CODE] = ending;
  addon.finishWith(traceId, names, values);
}

async function proceedWith(call, site, options, extractor, task) {
  let result;
  try {
    result = await task();
  } catch (error) {
    endWith(call, site, options, extractor, judge(options, error), error,
            undefined);
    throw error;
  }
  endWith(call, site, options, extractor, ENDING.OK, null, result);
  return result;
}

/* ------------------------------------------------------------ with a limit */

const limited = new Map(); // calls with a time limit, by number

listeners[EVENT.TIMEOUT] = (call) => limited.get(call)?.();

/** The task gets a signal, which says when nobody waits for it any more. */
function proceedLimited(call, site, options, extractor, task) {
  const {signal} = options;
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    let isOver = false;
    const leave = () => {
      isOver = true;
      limited.delete(call);
      signal?.removeEventListener('abort', onAbort);
    };
    const giveUp = (ending, reason) => {
      leave();
      end(call, ending);
      reject(reason);
      controller.abort(reason);
    };
    const onAbort = () => giveUp(ENDING.CANCELLED, signal.reason);
    signal?.addEventListener('abort', onAbort);
    limited.set(call, () => giveUp(
        ENDING.FAILED, new TimeoutError('the time limit passed',
                                        'TS_ETIMEDOUT')));
    const settle = (ending, error, result) => {
      if (!isOver) {
        leave();
        endWith(call, site, options, extractor, ending, error, result);
        return true;
      }
      return false;
    };
    (async () => task(controller.signal))().then(
        (result) => settle(ENDING.OK, null, result) && resolve(result),
        (error) => settle(judge(options, error), error, undefined) &&
                   reject(error));
  });
}

module.exports = {
  begin, beginWith, proceed, proceedWith, proceedLimited, refusal, run,
};
