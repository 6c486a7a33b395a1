// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the user gives, before it goes to C, which takes wrong types as absent.

function complain(name, what) {
  throw new TypeError(`${name} must be ${what}`);
}

/** A string without NUL: C ends a text there. */
function text(value, name) {
  if (typeof value !== 'string' || value.includes('\0')) {
    complain(name, 'a string without NUL');
  }
  return value;
}

function texts(value, name) {
  if (!Array.isArray(value)) {
    complain(name, 'an array of strings');
  }
  return value.map((item) => text(item, name));
}

/** An object of strings, as key, value, key, value. */
function tags(value, name) {
  if (typeof value !== 'object' || value === null) {
    complain(name, 'an object of strings');
  }
  const flat = [];
  for (const key of Object.keys(value)) {
    flat.push(text(key, name), text(value[key], `${name}.${key}`));
  }
  return flat;
}

function callback(value, name) {
  if (typeof value !== 'function') {
    complain(name, 'a function');
  }
  return value;
}

const kinds = {
  text,
  tags,
  callback,
  boolean(value, name) {
    return typeof value === 'boolean' ? value : complain(name, 'a boolean');
  },
  integer(value, name) {
    return Number.isSafeInteger(value) ? value : complain(name, 'an integer');
  },
  number(value, name) {
    return Number.isFinite(value) ? value : complain(name, 'a finite number');
  },
  logger(value, name) {
    return typeof value === 'object' && value !== null
               ? value : complain(name, 'an object such as console');
  },
};

/** A copy of the members that `shape` names, each of its kind, or one of the
 * words of an array, as its number. What is undefined or null is left out. */
function members(from, shape, what = 'options') {
  if (typeof from !== 'object' || from === null) {
    complain(what, 'an object');
  }
  const copy = {};
  for (const [name, kind] of Object.entries(shape)) {
    const value = from[name];
    if (value === undefined || value === null) {
      continue;
    }
    if (!Array.isArray(kind)) {
      copy[name] = kinds[kind](value, name);
    } else if (!kind.includes(value)) {
      complain(name, `one of ${kind.join(', ')}`);
    } else {
      copy[name] = kind.indexOf(value);
    }
  }
  return copy;
}

module.exports = {text, texts, tags, callback, members, complain};
