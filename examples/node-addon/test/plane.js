// SPDX-License-Identifier: Apache-2.0
'use strict';

// A control plane in a child process, and what tests do to it. Its program is
// what TRIPSWITCH_PLANE says.

const {spawn} = require('node:child_process');
const {once} = require('node:events');
const {setTimeout: sleep} = require('node:timers/promises');

const ADMIN_KEY = 'eb_admin_0123456789abcdef';
const LIMIT_MS = 30_000;

class Plane {
  static async start() {
    const program = process.env.TRIPSWITCH_PLANE;
    if (!program) {
      throw new Error('TRIPSWITCH_PLANE must name the program');
    }
    const plane = new Plane();
    plane.process = spawn(
        program, ['--listen', '127.0.0.1:0', '--demo', '--test-hooks'],
        {stdio: ['ignore', 'pipe', 'inherit'],
         env: {...process.env, TRIPSWITCH_ADMIN_KEY: ADMIN_KEY}});
    let printed = '';
    for await (const chunk of plane.process.stdout) {
      printed += chunk;
      if (/TRIPSWITCH_INGEST_SECRET=\S+\n/.test(printed)) {
        break;
      }
    }
    plane.environment = Object.fromEntries(
        [...printed.matchAll(/export (\w+)=(\S+)/g)].map(([, k, v]) => [k, v]));
    plane.url = plane.environment.TRIPSWITCH_BASE_URL;
    plane.project = plane.environment.TRIPSWITCH_PROJECT_ID;
    return plane;
  }

  /** Of a client of its project. */
  options(more) {
    return {
      projectId: this.project,
      apiKey: this.environment.TRIPSWITCH_API_KEY,
      ingestSecret: this.environment.TRIPSWITCH_INGEST_SECRET,
      baseUrl: this.url,
      logLevel: 'off',
      ...more,
    };
  }

  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_KEY}`,
        ...(body && {'content-type': 'application/json'}),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    }
    return text ? JSON.parse(text) : undefined;
  }

  async addBreaker(name, router, members) {
    const path = `/v1/projects/${this.project}`;
    const {breaker} = await this.ask('POST', `${path}/breakers`, {
      name, metric: 'latency', kind: 'error_rate', op: 'gt', threshold: 0.99,
      ...members,
    });
    if (router) {
      await this.ask('POST', `${path}/routers/${router}/breakers`,
                     {breaker_ids: [breaker.id]});
    }
    return breaker.id;
  }

  async addRouter(name, metadata) {
    const {router} = await this.ask(
        'POST', `/v1/projects/${this.project}/routers`, {name, metadata});
    return router.id;
  }

  force(breaker, state, rate) {
    return this.ask('POST', '/plane/v1/force',
                    {breaker, state, allow_rate: rate});
  }

  /** The next answers of an endpoint are these. */
  answer(endpoint, count, status) {
    return this.ask('POST', '/plane/v1/answers', {endpoint, count, status});
  }

  /** What it measures of a breaker, as soon as it has counted so much. */
  async measured(name, count) {
    return until(async () => {
      const {breakers} = await this.ask(
          'GET', `/plane/v1/projects/${this.project}/breakers`);
      const breaker = breakers.find((item) => item.name === name);
      return breaker?.count >= count ? breaker : undefined;
    });
  }

  async stop() {
    this.process.kill();
    await once(this.process, 'exit');
  }
}

/** What `look` gives, as soon as it gives something. */
async function until(look) {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const seen = await look();
    if (seen) {
      return seen;
    }
    if (Date.now() > end) {
      throw new Error(`it did not come to pass: ${look}`);
    }
    await sleep(10);
  }
}

/** What a child process that runs this script writes and how it ends. */
async function run(script, environment = {}, flags = []) {
  const child = spawn(process.execPath, [...flags, '-e', script], {
    cwd: __dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {...process.env, ...environment},
  });
  const seen = {out: '', err: ''};
  child.stdout.on('data', (chunk) => (seen.out += chunk));
  child.stderr.on('data', (chunk) => (seen.err += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  [seen.code, seen.signal] = await once(child, 'close');
  clearTimeout(timer);
  return seen;
}

module.exports = {Plane, until, run};
