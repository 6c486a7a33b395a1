#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The contract driver, as a test program in another language sees it.

Framing and answers are checked against the driver's protocol; the library
behind it against a small scripted server. Prints TAP.

usage: test_driver.py CONTRACT_DRIVER
"""

import gzip
import http.server
import json
import queue
import subprocess
import sys
import threading
import unittest

DRIVER = sys.argv[1]
PATIENCE = 60  # seconds until a missing line counts as missing


class Server(http.server.ThreadingHTTPServer):
    """Streams the states it is given; keeps the samples it gets."""

    daemon_threads = True
    metadata = {
        'breakers': [{'id': 'b-1', 'name': 'checkout',
                      'metadata': {'tier': 'gold'}}],
        'routers': [{'id': 'r-1', 'name': 'main', 'metadata': {'kind': 'x'}}],
    }

    def __init__(self, states):
        super().__init__(('127.0.0.1', 0), Handler)
        self.states = states
        self.events = queue.Queue()
        self.samples = []
        self.status_code = 200
        threading.Thread(target=self.serve_forever, args=(0.01,),
                         daemon=True).start()

    def handle_error(self, request, client_address):
        """The client may go in the middle of an answer."""

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_port}'

    def close(self):
        self.events.put(None)
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.endswith('/state:stream'):
            self.stream()
        elif self.path.endswith('/metadata'):
            kind = self.path.split('/')[-2]
            self.answer(200, {'project_id': 'p1',
                              kind: self.server.metadata[kind]})
        else:
            self.answer(self.server.status_code,
                        {'open_count': 1, 'closed_count': 2})

    def stream(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Connection', 'close')
        self.end_headers()
        for state in self.server.states:
            self.event(state)
        while (state := self.server.events.get()) is not None:
            self.event(state)
        self.close_connection = True

    def event(self, state):
        self.wfile.write(b'data: ' + json.dumps(state).encode() + b'\n\n')
        self.wfile.flush()

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.headers['Content-Encoding'] == 'gzip':
            body = gzip.decompress(body)
        samples = json.loads(body)['samples']
        self.server.samples += samples
        self.answer(202, {'accepted': len(samples)})


class Driver:
    def __init__(self, **streams):
        streams = {'stdin': subprocess.PIPE, **streams}
        self.process = subprocess.Popen([DRIVER], stdout=subprocess.PIPE,
                                        **streams)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self.read, daemon=True).start()
        self.hello = self.wait(lambda e: True)

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def wait(self, wanted):
        """The first event like this; those before it are kept in `seen`."""
        while True:
            event = self.lines.get(timeout=PATIENCE)
            if event is None:
                raise AssertionError(f'ended; saw {self.seen}')
            self.seen.append(event)
            if wanted(event):
                return event

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ask(self, cmd, id=1, **members):
        self.send(json.dumps({'cmd': cmd, 'id': id, **members}) + '\n')
        return self.wait(lambda e: e.get('id') == id)

    def end(self):
        self.process.stdin.close()
        rest = list(iter(lambda: self.lines.get(timeout=PATIENCE), None))
        self.process.stdout.close()
        return self.process.wait(PATIENCE), rest


class DriverTest(unittest.TestCase):
    def setUp(self):
        self.driver = Driver()
        self.server = None

    def tearDown(self):
        if self.driver.process.poll() is None:
            status, _ = self.driver.end()
            self.assertEqual(0, status)
        if self.server:
            self.server.close()

    def create(self, client='c', states=(), **options):
        self.server = Server(list(states))
        answer = self.driver.ask('create', client=client, options={
            'project_id': 'p1', 'api_key': 'eb_pk_1',
            'base_url': self.server.url, **options})
        self.assertEqual('result', answer['event'], answer)
        return self.driver.wait(lambda e: e['event'] == 'ready')

    def code(self, text):
        self.driver.send(text + '\n')
        event = self.driver.wait(lambda e: e['event'] in ('error', 'result'))
        return event.get('code'), event.get('id')

    def test_hello(self):
        """The first line says what the driver can do."""
        hello = self.driver.hello
        self.assertEqual(('hello', 1), (hello['event'], hello['protocol']))
        self.assertIn('batch_size', hello['options'])
        self.assertIn('proxy_url', hello['options'])
        self.assertIn('fail_alloc', hello['caps'])

    def test_bad_lines(self):
        """A line that is no command is answered, and the driver goes on."""
        for line in ('', 'x', '[1]', '{"cmd":"sleep"}', '{"id":{},"cmd":"x"}',
                     '"\\ud800"', '[' * 5000):
            self.assertEqual(('bad_command', None), self.code(line))
        self.assertEqual(('bad_command', 'i'), self.code('{"id":"i"}'))
        self.assertEqual(('bad_command', 7), self.code('{"id":7,"cmd":"no"}'))
        self.assertEqual((None, 8), self.code('{"id":8,"cmd":"sleep","a":1}'))

    def test_arguments(self):
        """Wrong types, U+0000 and unknown clients have codes of their own."""
        self.driver.ask('create', client='c', options={'project_id': 'p'})
        for code, line in (
                ('bad_argument', '"cmd":"sleep","ms":-1'),
                ('bad_argument', '"cmd":"sleep","ms":"1"'),
                ('bad_argument', '"cmd":"create"'),
                ('no_client', '"cmd":"stats","client":"x"'),
                ('bad_argument', '"cmd":"report","client":"c","router":"\\u0000"'),
                ('bad_argument', '"cmd":"report","client":"c","tags":{"\\u0000":"a"}'),
                ('bad_argument', '"cmd":"execute","client":"c","count":-1'),
                ('bad_argument', '"cmd":"execute","client":"c","breakers":["a",1]'),
                ('bad_argument', '"cmd":"execute","client":"c","start":9223372036854775807'),
                ('bad_argument', '"cmd":"close","client":"c","timeout_ms":9223372036854775807'),
                ('client_exists', '"cmd":"create","client":"c"'),
                ('bad_option', '"cmd":"create","client":"d"'),
                ('bad_option', '"cmd":"create","client":"d","options":{"gzip":1}'),
                ('unsupported', '"cmd":"create","client":"d","options":{"key_fil":"k"}'),
        ):
            self.assertEqual((code, 1), self.code('{"id":1,' + line + '}'),
                             line)
        self.assertEqual((None, 2), self.code(
            '{"id":2,"cmd":"sleep","ms":null,"n":99999999999999999999}'))

    def test_long_line(self):
        """A line of several MiB is one line."""
        answer = self.driver.ask('sleep', ms=0, padding='x' * (5 << 20))
        self.assertEqual('result', answer['event'])

    def test_file_input(self):
        """Standard input may be a file; its end ends the driver."""
        import tempfile
        with tempfile.TemporaryFile() as file:
            file.write(b'{"cmd":"create","id":1,"client":"c",'
                       b'"options":{"project_id":"p"}}\n'
                       b'{"cmd":"sleep","id":2,"ms":60000}\n'
                       b'{"cmd":"stats","id":3,"client":"c"}')
            file.seek(0)
            run = subprocess.run([DRIVER], stdin=file, capture_output=True,
                                 timeout=PATIENCE)
        events = [json.loads(line) for line in run.stdout.splitlines()]
        answers = {e['id']: e['event'] for e in events if 'id' in e}
        self.assertEqual(0, run.returncode)
        self.assertEqual({1: 'result', 2: 'error', 3: 'result'}, answers)
        self.assertEqual('closed', events[-1]['event'])

    def test_quit(self):
        """quit closes every client and is answered last."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        self.driver.ask('quit', id='q')
        status, rest = self.driver.end()
        self.assertEqual((0, []), (status, rest))
        self.assertEqual('closed', self.driver.seen[-2]['event'])

    def test_execute(self):
        """Calls run, fail, and become samples, each accounted for."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        answer = self.driver.ask(
            'execute', client='c', count=20, start=1, fail_every=5,
            breakers=['b'], router='r', trace_id='t-%d',
            metrics={'latency': 'latency', 'n': 2.5, 'c': {'call': -1}},
            deferred={'d': 0.1}, tags={'k': 'v'})
        self.assertEqual((20, 20, 0, 4, {}), tuple(
            answer[k] for k in ('count', 'ran', 'rejected', 'failed',
                                'errors')))
        closed = self.driver.ask('close', client='c', id=2)
        self.assertTrue(closed['clean'], closed)
        self.assertEqual(80, closed['stats']['delivered_samples'])
        samples = self.server.samples
        self.assertEqual(80, len(samples))
        self.assertEqual(16, sum(not s['ok'] for s in samples))
        self.assertEqual({f't-{n}' for n in range(1, 21)},
                         {s['trace_id'] for s in samples})
        self.assertEqual({2.5}, {s['value'] for s in samples
                                 if s['metric'] == 'n'})
        self.assertEqual({-1}, {s['value'] for s in samples
                                if s['metric'] == 'c'})
        self.assertEqual({0.1}, {s['value'] for s in samples
                                 if s['metric'] == 'd'})
        self.assertEqual('no_client', self.driver.ask(
            'stats', client='c', id=3)['code'])

    def test_slow_tasks(self):
        """Tasks that take time go through the asynchronous call."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        answer = self.driver.ask('execute', client='c', count=3, task_ms=10,
                                 breakers=['b'], router='r',
                                 metrics={'latency': 'latency'})
        self.assertEqual(3, answer['ran'])
        self.driver.ask('flush', client='c', id=2, timeout_ms=PATIENCE * 1000)
        self.assertEqual(3, len(self.server.samples))
        self.assertTrue(all(s['value'] >= 10 for s in self.server.samples))

    def test_close_answers_what_waits(self):
        """What is under way when the client closes is answered before."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        self.driver.send('{"cmd":"execute","id":"e","client":"c",'
                         '"task_ms":60000}\n')
        closed = self.driver.ask('close', client='c', id=2, timeout_ms=50)
        self.assertEqual('closed', closed['event'])
        answers = [e for e in self.driver.seen if e.get('id') == 'e']
        self.assertEqual([('error', 'closed')],
                         [(e['event'], e['code']) for e in answers])

    def test_states(self):
        """State changes are events; states can be asked for."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        self.server.events.put({'breaker': 'b', 'state': 'half_open',
                                'allow_rate': 0.1})
        change = self.driver.wait(lambda e: e['event'] == 'state_change')
        self.assertEqual(('b', 'closed', 'half_open'), tuple(
            change[k] for k in ('breaker', 'from', 'to')))
        self.assertEqual(
            {'name': 'b', 'state': 'half_open', 'allow_rate': 0.1},
            self.driver.ask('get_state', client='c', breaker='b')['state'])
        self.assertIsNone(self.driver.ask('get_state', client='c', id=2,
                                          breaker='x')['state'])
        self.server.events.put({'breaker': 'b', 'state': 'open'})
        self.driver.wait(lambda e: e.get('to') == 'open')
        self.assertEqual(
            {'b': {'state': 'open', 'allow_rate': 0.0}},
            self.driver.ask('get_all_states', client='c', id=3)['states'])
        answer = self.driver.ask('execute', client='c', count=5, id=4,
                                 breakers=['b'])
        self.assertEqual(5, answer['rejected'])

    def test_selectors(self):
        """Selectors pick by metadata, once there is some."""
        self.create(states=[{'breaker': 'checkout', 'state': 'open'}])
        while not (lists := self.driver.ask('metadata', client='c'))['routers']:
            pass
        self.assertEqual(Server.metadata['breakers'], lists['breakers'])
        answer = self.driver.ask(
            'execute', client='c', id=2,
            select_breakers={'key': 'tier', 'value': 'gold'},
            select_router={'key': 'kind', 'value': 'x'}, metrics={'m': 1})
        self.assertEqual(1, answer['rejected'])
        answer = self.driver.ask(
            'execute', client='c', id=3, breakers=['a'],
            select_breakers={'key': 'tier', 'value': 'gold'})
        self.assertEqual({'conflicting_options': 1}, answer['errors'])

    def test_status(self):
        """The status is asked of the server, its refusal passed on."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}])
        self.assertEqual(
            {'open_count': 1, 'closed_count': 2, 'last_eval_ms': None},
            self.driver.ask('status', client='c')['status'])
        self.server.status_code = 403
        self.assertEqual('unauthorized', self.driver.ask(
            'status', client='c', id=2)['code'])
        self.server.status_code = 503
        answer = self.driver.ask('status', client='c', id=3)
        self.assertEqual(('http', 503), (answer['code'], answer['status']))

    def test_fail_alloc(self):
        """A failing allocation refuses the creation; then all goes on."""
        self.driver.ask('fail_alloc', after=1)
        answer = self.driver.ask('create', client='c', id=2,
                                 options={'project_id': 'p'})
        self.assertEqual('no_memory', answer['code'])
        answer = self.driver.ask('fail_alloc', id=3, after=0)
        self.assertGreaterEqual(answer['allocs'], 1)
        answer = self.driver.ask('create', client='c', id=4,
                                 options={'project_id': 'p'})
        self.assertEqual('result', answer['event'])

    def test_balance(self):
        """Taken = delivered + dropped + buffered + in flight, at any time."""
        self.create(states=[{'breaker': 'b', 'state': 'closed'}],
                    buffer_capacity=700)
        taken = 0
        for turn in range(20):
            answer = self.driver.ask('report', client='c', count=100,
                                     router='r', metric='m', start=taken)
            self.assertEqual(100, answer['count'])
            taken += 100
            stats = self.driver.ask('stats', client='c', id=2)['stats']
            self.assertEqual(taken, sum(stats[k] for k in (
                'delivered_samples', 'dropped_samples', 'buffer_size',
                'in_flight_samples')))
        stats = self.driver.ask('close', client='c', id=3)['stats']
        self.assertEqual(taken, stats['delivered_samples']
                         + stats['dropped_samples'])
        self.assertEqual(len(self.server.samples), stats['delivered_samples'])


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(DriverTest)
    tests = list(suite)
    print(f'1..{len(tests)}')
    good = True
    for number, test in enumerate(tests, 1):
        result = unittest.TestResult()
        test.run(result)
        print('ok' if result.wasSuccessful() else 'not ok', number, '-',
              test._testMethodName, flush=True)
        for _, text in result.errors + result.failures:
            print(''.join(f'# {line}\n' for line in text.splitlines()))
        good &= result.wasSuccessful()
    return 0 if good else 1


sys.exit(main())
