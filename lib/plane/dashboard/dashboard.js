// SPDX-License-Identifier: Apache-2.0
//
// The page asks for a key, reads the breakers once a second, and holds the
// state stream open: a change of state is on the screen when it happens, the
// measurements between changes within a second. Whatever comes from the plane
// is put in as text. The key is kept in this tab's session storage, and goes
// out in the Authorization header alone.
'use strict';
(() => {
  const READ_MS = 1000;      // between two readings, or, if they take long,
  const READ_SHARE = 5;      // so many times as long as one takes
  const SILENCE_MS = 45000;  // without even a heartbeat: the stream is dead
  const SPAN_MAX_MS = 600000;
  const SPAN_MIN_MS = 60000;
  const KEY = 'tripswitch-plane-key';

  const SYMBOLS = {closed: '✓', open: '✕', half_open: '◐', unknown: '?'};
  const STATES = {closed: 'closed', open: 'open', half_open: 'half-open',
    unknown: 'unknown'};
  const KINDS = {error_rate: 'error rate', avg: 'average', p95: '95th percentile',
    max: 'maximum', min: 'minimum', sum: 'sum', stddev: 'standard deviation',
    count: 'count', percentile: 'percentile',
    consecutive_failures: 'failures in a row', delta: 'drift'};
  const OPS = {gt: 'above', gte: 'at or above', lt: 'below', lte: 'at or below'};
  const HOLDS = {gt: (a, b) => a > b, gte: (a, b) => a >= b,
    lt: (a, b) => a < b, lte: (a, b) => a <= b};
  const REASONS = {
    threshold_breached: 'the measurement crossed its threshold',
    cooldown_elapsed: 'its time in open is over; probing begins',
    recovery_failed: 'the probes failed',
    recovery_indeterminate: 'too few probes for a verdict',
    recovered: 'the probes were healthy',
    config_changed: 'its rule was changed',
    forced: 'forced by an operator'};

  const at = (id) => document.getElementById(id);

  let key = null;
  let isAdmin = false;
  let project = null;
  let session = 0;      // grows with each sign-in, sign-out, change of project
  let streaming = null; // an AbortController
  let filter = 'all';
  let chosen = null;    // the breaker the dialog is about
  const rows = new Map(); // breaker_id -> row

  // ---------------------------------------------------------------- elements

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function draw(tag, attributes) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) {
      element.setAttribute(name, value);
    }
    return element;
  }

  function setText(element, text) {
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }

  function say(text) {
    at('said').textContent = text;
  }

  // ----------------------------------------------------------------- numbers

  const plain = new Intl.NumberFormat(undefined, {maximumSignificantDigits: 4});
  const percent = new Intl.NumberFormat(undefined,
    {style: 'percent', maximumFractionDigits: 1});
  const clock = new Intl.DateTimeFormat(undefined,
    {hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});
  const day = new Intl.DateTimeFormat(undefined, {month: 'short', day: 'numeric'});

  function amount(kind, value) {
    return kind === 'error_rate' ? percent.format(value) : plain.format(value);
  }

  function duration(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
    return `${Math.floor(s / 86400)} d`;
  }

  function when(ms) {
    const date = new Date(ms);
    const today = new Date().toDateString() === date.toDateString();
    return (today ? '' : `${day.format(date)}, `) + clock.format(date);
  }

  const kindOf = ({kind, percentile}) => kind === 'percentile'
    ? `${plain.format(percentile)}th percentile` : KINDS[kind] || kind;

  const samples = (n) => `${plain.format(n)} ${n === 1 ? 'sample' : 'samples'}`;

  // ---------------------------------------------------------------- requests

  class Refused extends Error {
    constructor(status, message) {
      super(message);
      this.status = status;
    }
  }

  async function ask(path, options = {}) {
    const answer = await fetch(path, {cache: 'no-store', ...options,
      headers: {...options.headers, Authorization: `Bearer ${key}`}});
    if (answer.ok) {
      return answer;
    }
    let message = `The plane answered ${answer.status}`;
    try {
      message = (await answer.json()).message || message;
    } catch { /* not JSON: the status says enough */ }
    throw new Refused(answer.status, message);
  }

  const read = async (path) => (await ask(path)).json();
  const ours = (rest) =>
    `/plane/v1/projects/${encodeURIComponent(project)}/${rest}`;
  const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

  // ------------------------------------------------------------------ charts

  function chart(row, span) {
    const WIDTH = 260, HEIGHT = 56, BOTTOM = HEIGHT - 2;
    const {now, points, breaker} = row;
    const values = points.filter((p) => p.value !== null).map((p) => p.value);
    const top = Math.max(breaker.threshold, ...values, 0) * 1.15 || 1;
    const low = Math.min(breaker.threshold, ...values, 0) * 1.15;
    const x = (t) => Math.max(0, WIDTH - (now - t) / span * WIDTH);
    const y = (v) => BOTTOM - (v - low) / (top - low) * (BOTTOM - 4);
    const parts = [];
    points.forEach((point, i) => {
      const from = x(point.t);
      const to = i + 1 < points.length ? x(points[i + 1].t) : WIDTH;
      if (point.state !== 'closed' && to > from) {
        parts.push(draw('rect', {class: point.state, x: from.toFixed(1), y: 0,
          width: (to - from + 0.3).toFixed(1), height: BOTTOM}));
      }
    });
    // One line for each stretch of time that has measurements.
    let stretch = [];
    const finish = () => {
      if (stretch.length > 0) {
        const [first, last] = [stretch[0], stretch[stretch.length - 1]];
        const line = stretch.map((p) => `${x(p.t).toFixed(1)},${y(p.value).toFixed(1)}`)
          .join(' L');
        parts.push(draw('path', {class: 'area',
          d: `M${x(first.t).toFixed(1)},${y(0).toFixed(1)} L${line} L${x(last.t).toFixed(1)},${y(0).toFixed(1)} Z`}));
        parts.push(draw('path', {class: 'line', d: `M${line}`}));
      }
      stretch = [];
    };
    for (const point of points) {
      if (point.value === null) {
        finish();
      } else {
        stretch.push(point);
      }
    }
    finish();
    const level = y(breaker.threshold).toFixed(1);
    parts.push(draw('line', {class: 'base', x1: 0, x2: WIDTH, y1: BOTTOM, y2: BOTTOM}));
    parts.push(draw('line', {class: 'threshold', x1: 0, x2: WIDTH, y1: level, y2: level}));
    row.chart.replaceChildren(...parts);
    const highest = values.length > 0
      ? `highest ${amount(breaker.kind, Math.max(...values))}, ` : '';
    row.chart.setAttribute('aria-label', `${kindOf(breaker)}` +
      ` over the last ${duration(span)}: ${highest}` +
      `threshold ${amount(breaker.kind, breaker.threshold)}`);
  }

  // -------------------------------------------------------------------- rows

  function badge(state) {
    return make('span', {class: `state ${state}`},
      make('span', {'aria-hidden': 'true'}, SYMBOLS[state] || '?'),
      STATES[state] || state);
  }

  function makeRow(breaker) {
    const row = {
      breaker,
      points: [],
      name: make('span'),
      rule: make('span', {class: 'sub'}),
      state: make('span'),
      forced: make('span', {class: 'forced'}, 'forced'),
      since: make('span', {class: 'num'}),
      rate: make('span', {class: 'num'}),
      level: make('div'),
      value: make('span', {class: 'value num'}),
      against: make('span', {class: 'sub num'}),
      basis: make('span', {class: 'sub num'}),
      chart: draw('svg', {class: 'chart', viewBox: '0 0 260 56',
        preserveAspectRatio: 'none', role: 'img'}),
      button: make('button', {type: 'button', class: 'quiet'}, 'Override'),
    };
    row.bar = make('div', {class: 'bar', 'aria-hidden': 'true'}, row.level);
    row.button.addEventListener('click', () => openOverride(row));
    const cell = (...children) => make('td', {role: 'cell'}, ...children);
    row.element = make('tr', {role: 'row'},
      make('th', {scope: 'row', role: 'rowheader'}, row.name, row.rule),
      cell(row.state, make('span', {class: 'sub'}, row.since, row.forced)),
      cell(make('div', {class: 'rate'}, row.rate, row.bar)),
      cell(row.value, row.against, row.basis),
      cell(row.chart),
      make('td', {role: 'cell', class: 'admin'}, row.button));
    row.element.querySelector('.admin').hidden = !isAdmin;
    return row;
  }

  function showState(row) {
    const {breaker} = row;
    if (row.shownState !== breaker.state) {
      row.state.replaceChildren(badge(breaker.state));
      row.bar.className = `bar ${breaker.state}`;
      row.shownState = breaker.state;
    }
    row.forced.hidden = !breaker.forced;
    setText(row.rate, percent.format(breaker.allow_rate));
    row.level.style.width = `${breaker.allow_rate * 100}%`;
  }

  function showMeasurement(row) {
    const {breaker, now} = row;
    const none = breaker.value === null;
    const bad = !none && HOLDS[breaker.op](breaker.value, breaker.threshold);
    setText(row.value, none ? 'no measurement' : amount(breaker.kind, breaker.value));
    row.value.className = `value num${none ? ' none' : bad ? ' bad' : ''}`;
    setText(row.against, `trips ${OPS[breaker.op]} ` +
      amount(breaker.kind, breaker.threshold));
    setText(row.basis, breaker.needed > breaker.count
      ? `${plain.format(breaker.count)} of ${samples(breaker.needed)} needed`
      : samples(breaker.count));
    setText(row.since, `for ${duration(now - breaker.since_ms)}`);
  }

  function showBreaker(row, span) {
    const {breaker} = row;
    setText(row.name, breaker.name);
    setText(row.rule, `${kindOf(breaker)} of ${breaker.metric}` +
      (breaker.kind === 'consecutive_failures' ? ''
        : ` over ${duration(breaker.window_ms)}`));
    row.button.setAttribute('aria-label', `Override ${breaker.name}`);
    showState(row);
    showMeasurement(row);
    chart(row, span);
  }

  function flash(row) {
    row.element.classList.remove('fresh');
    void row.element.offsetWidth; // begins the animation anew
    row.element.classList.add('fresh');
  }

  function sieve() {
    const text = at('find').value.trim().toLowerCase();
    const counts = {all: 0, open: 0, half_open: 0, closed: 0};
    let visible = 0;
    for (const row of rows.values()) {
      const {state, name, metric} = row.breaker;
      counts.all++;
      counts[state]++;
      const fits = (filter === 'all' || filter === state) &&
        (name.toLowerCase().includes(text) || metric.toLowerCase().includes(text));
      row.element.hidden = !fits;
      visible += fits;
    }
    for (const [state, count] of Object.entries(counts)) {
      setText(at(`count-${state}`), String(count));
      document.querySelector(`[data-filter="${state}"]`)
        .classList.toggle('some', count > 0);
    }
    at('breakers').hidden = visible === 0;
    at('nothing').hidden = visible > 0;
    setText(at('nothing'), counts.all === 0
      ? 'This project has no breakers yet. Create one with the management API, or with ts_plane_add_breaker.'
      : 'No breaker fits.');
  }

  // ----------------------------------------------------------------- reading

  function remember(row, reading, breaker) {
    if (breaker.history) {
      row.points = breaker.history.map(([t, value, state]) => ({t, value, state}));
    }
    row.points.push({t: reading.now_ms, value: breaker.value, state: breaker.state});
    while (row.points[0].t < reading.now_ms - SPAN_MAX_MS) {
      row.points.shift();
    }
    row.now = reading.now_ms;
    row.breaker = breaker;
  }

  function take(reading) {
    const known = new Set();
    for (const breaker of reading.breakers) {
      let row = rows.get(breaker.breaker_id);
      if (!row) {
        row = makeRow(breaker);
        rows.set(breaker.breaker_id, row);
      }
      known.add(breaker.breaker_id);
      remember(row, reading, breaker);
    }
    for (const [id, row] of rows) {
      if (!known.has(id)) {
        row.element.remove();
        rows.delete(id);
      }
    }
    const oldest = Math.min(reading.now_ms,
      ...[...rows.values()].map((row) => row.points[0].t));
    const span = Math.min(SPAN_MAX_MS,
      Math.max(SPAN_MIN_MS, reading.now_ms - oldest));
    setText(at('span'), `Last ${duration(span)}`);
    let place = at('rows').firstElementChild;
    for (const breaker of reading.breakers) {
      const row = rows.get(breaker.breaker_id);
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        at('rows').insertBefore(row.element, place);
      }
      showBreaker(row, span);
    }
    sieve();
  }

  async function readAll(mine) {
    let whole = true; // the history too, after a pause
    while (mine === session) {
      const begun = Date.now();
      if (document.hidden) {
        whole = true;
      } else {
        try {
          const reading = await read(ours(`breakers${whole ? '?history=1' : ''}`));
          if (mine !== session) return;
          take(reading);
          whole = false;
        } catch (error) {
          if (mine !== session) return;
          whole = true;
          if (isRefusal(error)) return;
        }
      }
      await sleep(Math.max(READ_MS, READ_SHARE * (Date.now() - begun)));
    }
  }

  function isRefusal(error) {
    if (error instanceof Refused && [401, 403].includes(error.status)) {
      signOut(error.message);
      return true;
    }
    return false;
  }

  async function readEvents(mine) {
    try {
      const {events} = await read(ours('events'));
      if (mine === session) {
        showEvents(events);
      }
    } catch (error) {
      if (mine === session) isRefusal(error);
    }
  }

  function showEvents(events) {
    const cell = (...children) => make('td', {role: 'cell'}, ...children);
    at('entries').replaceChildren(...events.map((event) => {
      const time = make('time', {datetime: event.timestamp, class: 'num'},
        when(event.ts_ms));
      const rule = event.rule || {};
      const measured = event.agg && event.agg.value !== null &&
        event.agg.value !== undefined
        ? `${KINDS[event.agg.kind] || event.agg.kind} ` +
          `${amount(event.agg.kind, event.agg.value)}` +
          (rule.threshold === undefined ? ''
            : `, threshold ${amount(event.agg.kind, rule.threshold)}`)
        : '';
      return make('tr', {role: 'row'}, cell(time),
        make('th', {scope: 'row', role: 'rowheader'}, event.name || ''),
        cell(badge(event.from_state),
          make('span', {class: 'arrow'}, make('span', {'aria-hidden': 'true'}, '→'),
            make('span', {class: 'unseen'}, 'to')),
          badge(event.to_state)),
        cell(REASONS[event.reason] || event.reason || '',
          make('span', {class: 'sub num'}, measured)));
    }));
    at('log').hidden = events.length === 0;
    at('no-events').hidden = events.length > 0;
    setText(at('no-events'), 'No breaker has changed its state yet.');
  }

  // ------------------------------------------------------------------ stream

  function showLive(state, text) {
    at('live').dataset.state = state;
    setText(at('live-text'), text);
  }

  function heard(message) {
    const data = message.split('\n').filter((line) => line.startsWith('data: '))
      .map((line) => line.slice(6)).join('\n');
    if (!data) {
      return; // a comment
    }
    const change = JSON.parse(data);
    for (const row of rows.values()) {
      const {breaker} = row;
      if (breaker.name !== change.breaker ||
          (breaker.state === change.state && breaker.allow_rate === change.allow_rate)) {
        continue;
      }
      if (breaker.state !== change.state) {
        say(`${breaker.name} is now ${STATES[change.state] || change.state}`);
        flash(row);
        readEvents(session);
      }
      breaker.state = change.state;
      breaker.allow_rate = change.allow_rate;
      showState(row);
      sieve();
    }
  }

  // Until the stream ends, for whatever reason.
  async function listen(mine, control) {
    const answer = await ask(ours('stream'), {signal: control.signal});
    showLive('live', 'Live');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const silence = setTimeout(() => control.abort(), SILENCE_MS);
      const {value, done} = await reader.read();
      clearTimeout(silence);
      if (done || mine !== session) {
        return;
      }
      text += value;
      let end;
      while ((end = text.indexOf('\n\n')) >= 0) {
        heard(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  async function listenAlways(mine) {
    let wait = 500;
    while (mine === session) {
      const begun = Date.now();
      streaming = new AbortController();
      try {
        await listen(mine, streaming);
      } catch (error) {
        if (mine !== session || isRefusal(error)) return;
      }
      if (mine !== session) return;
      showLive('lost', 'Connection lost, trying again');
      wait = Date.now() - begun > 10000 ? 500 : Math.min(wait * 2, 10000);
      await sleep(wait);
      readEvents(mine);
    }
  }

  // ---------------------------------------------------------------- override

  function openOverride(row) {
    chosen = row.breaker;
    setText(at('override-title'), `Override ${chosen.name}`);
    setText(at('override-error'), '');
    at('override-form').reset();
    at('release-choice').hidden = !chosen.forced;
    const wanted = chosen.forced ? 'release'
      : chosen.state === 'open' ? 'closed' : 'open';
    at('override-form').elements.state.value = wanted;
    at('override').showModal();
    at('override-form').querySelector(':checked').focus();
  }

  async function applyOverride(event) {
    event.preventDefault();
    const state = at('override-form').elements.state.value;
    const path = ours(`breakers/${encodeURIComponent(chosen.breaker_id)}/override`);
    try {
      await (state === 'release' ? ask(path, {method: 'DELETE'})
        : ask(path, {method: 'PUT', headers: {'Content-Type': 'application/json'},
          body: JSON.stringify({state})}));
    } catch (error) {
      setText(at('override-error'), error.message);
      return;
    }
    at('override').close();
    take(await read(ours('breakers')));
    say(state === 'release' ? `${chosen.name} is released`
      : `${chosen.name} is forced ${state}`);
  }

  // ----------------------------------------------------------------- session

  function begin() {
    session++;
    if (streaming) {
      streaming.abort();
    }
    rows.clear();
    at('rows').replaceChildren();
    showEvents([]);
    showLive('connecting', 'Connecting');
    readAll(session);
    readEvents(session);
    listenAlways(session);
  }

  async function signIn(given) {
    key = given;
    const mine = ++session;
    const known = await read('/plane/v1/projects');
    if (mine !== session) return;
    sessionStorage.setItem(KEY, key);
    isAdmin = known.admin;
    at('project').replaceChildren(...known.projects.map((one) =>
      make('option', {value: one.project_id}, one.name || one.project_id)));
    project = known.projects.length > 0 ? known.projects[0].project_id : null;
    at('door').hidden = true;
    at('board').hidden = false;
    at('session').hidden = false;
    document.querySelector('#breakers thead .admin').hidden = !isAdmin;
    if (project === null) {
      sieve();
      showLive('connecting', 'No project yet');
    } else {
      begin();
    }
  }

  function signOut(why) {
    session++;
    key = null;
    sessionStorage.removeItem(KEY);
    if (streaming) {
      streaming.abort();
    }
    if (at('override').open) {
      at('override').close();
    }
    rows.clear();
    at('rows').replaceChildren();
    at('entries').replaceChildren();
    at('board').hidden = true;
    at('session').hidden = true;
    at('door').hidden = false;
    setText(at('door-error'), why || '');
    at('key').value = '';
    at('key').focus();
  }

  async function trySignIn(given) {
    try {
      await signIn(given);
    } catch (error) {
      signOut(error instanceof Refused ? error.message
        : 'The plane does not answer');
    }
  }

  at('door-form').addEventListener('submit', (event) => {
    event.preventDefault();
    setText(at('door-error'), '');
    trySignIn(at('key').value.trim()).then(() => {
      at('key').value = '';
      if (!at('board').hidden) at('main').focus();
    });
  });
  at('leave').addEventListener('click', () => signOut());
  at('project').addEventListener('change', () => {
    project = at('project').value;
    begin();
  });
  at('find').addEventListener('input', sieve);
  for (const tile of document.querySelectorAll('[data-filter]')) {
    tile.addEventListener('click', () => {
      filter = tile.dataset.filter;
      for (const other of document.querySelectorAll('[data-filter]')) {
        other.setAttribute('aria-pressed', String(other === tile));
      }
      sieve();
    });
  }
  at('override-form').addEventListener('submit', applyOverride);
  at('override-cancel').addEventListener('click', () => at('override').close());

  const kept = sessionStorage.getItem(KEY);
  if (kept) {
    trySignIn(kept);
  }
})();
