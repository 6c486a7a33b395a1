#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples, run as a reader of them would, each to its end.

Each has to say what its header promises, end with status 0, and be short:
under 120 lines. Prints TAP.

usage: test_examples.py SOURCE_DIR NAME=PROGRAM...
"""

import http.server
import pathlib
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

LIMIT = 60  # seconds; far more than any of them needs
MAX_LINES = 119


def run(program):
    """All that an example prints that ends by itself."""
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True,
                          timeout=LIMIT, check=True)
    return done.stdout


def says(*patterns):
    """A test: these lines, in this order, and no others."""
    def test(program):
        lines = run(program).splitlines()
        assert len(lines) == len(patterns), lines
        for line, pattern in zip(lines, patterns):
            assert re.fullmatch(pattern, line), line
    return test


def test_metrics(program):
    """Samples from the answer, and the client's figures."""
    lines = run(program).splitlines()
    assert lines[:2] == ['sample: hits = 42', 'sample: index_age = 1.5'], lines
    assert 'tripswitch_samples_delivered_total{project="project"} 3' in lines


class Upstream(http.server.BaseHTTPRequestHandler):
    """A real server that answers with whatever status it is told."""
    status = 200
    asked = 0

    def do_GET(self):
        Upstream.asked += 1
        body = f'page {self.path}'.encode()
        self.send_response(Upstream.status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def get(url):
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_http_client(program):
    """A failing upstream is left alone; when it is well, its pages come."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = subprocess.Popen([program, str(server.server_port)],
                             stdout=subprocess.PIPE, text=True)
    url = f'http://127.0.0.1:{int(proxy.stdout.readline())}/'
    assert get(url + 'one') == (200, 'page /one')

    Upstream.status = 500
    while get(url)[0] == 500:
        pass
    before = Upstream.asked
    assert get(url)[0] == 503 and Upstream.asked == before

    Upstream.status = 200
    while get(url + 'two') != (200, 'page /two'):
        pass
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(LIMIT) == 0
    server.shutdown()


def test_shutdown(program):
    """SIGTERM, and every call is accounted for."""
    service = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    assert service.stdout.readline().startswith('serving')
    service.send_signal(signal.SIGTERM)
    last = service.communicate(timeout=LIMIT)[0].splitlines()[-1]
    assert service.returncode == 0
    calls, delivered = re.fullmatch(
        r'closed: drained, (\d+) calls, (\d+) samples delivered, 0 dropped',
        last).groups()
    assert calls == delivered, last


RECORDS = '''\
orders/1 {"state":1,"generation":1,"consecutive_failures":0,\
"consecutive_successes":0,"total":0,"total_failures":0,"total_successes":0,\
"expires_after":"9999-11-21T03:46:47.926485135Z"}
orders/2 {"state":2,"generation":1,"consecutive_failures":0,\
"consecutive_successes":0,"total":0,"total_failures":0,"total_successes":0,\
"expires_after":"0001-01-01T00:00:00Z"}
orders/3 q7X2cXkrY0eV9zW1aB3dEg
{"breaker_name":{"S":"orders/4"},"state":{"N":"0"},"generation":{"N":"4"},\
"consecutive_failures":{"N":"3"},"consecutive_successes":{"N":"0"},\
"total":{"N":"9"},"total_failures":{"N":"4"},"total_successes":{"N":"5"},\
"expires_after":{"S":"0001-01-01T00:00:00Z"}}
'''

WOULD = [r'orders/1: open for another \d+ s',
         r'orders/2: open, and the next call may probe',
         r'orders/3: refused: it is not JSON.*',
         r'orders/4: closed, with 4 failures in 9 calls, the last 3 in a row']


def test_import(program):
    """A dry run says what would be done; what is not understood, too."""
    done = subprocess.run([program, '10'], input=RECORDS, text=True,
                          stdout=subprocess.PIPE, timeout=LIMIT, check=False)
    assert done.returncode == 1, done.returncode
    lines = done.stdout.splitlines()
    assert len(lines) == len(WOULD), lines
    for line, pattern in zip(lines, WOULD):
        assert re.fullmatch(pattern, line), line


def test_workers(program):
    """Fewer calls fail than each worker would need alone."""
    text = run(program)
    failures, alone = re.fullmatch(
        r'4 workers: (\d+) failures together, alone (\d+)\n', text).groups()
    assert 5 <= int(failures) < int(alone), text


TESTS = {
    'database': says(r'CREATE .* not an error', r'INSERT .* not an error',
                     r'INSERT .* constraint failed',
                     r'INSERT .* the breaker is open'),
    'evaluator': says(r'50 answers of 404: the breaker is still closed',
                      r'\d+ answers of 503: the breaker is open'),
    'fail_closed': says(r'the plane is there', r'  fail-open: called',
                        r'  fail-closed: called', r'the plane is gone',
                        r'  fail-open: called',
                        r'  fail-closed: rejected, stale'),
    'http_client': test_http_client,
    'import_circuitry': test_import,
    'metrics': test_metrics,
    'provision': says(r'TRIPSWITCH_BASE_URL=http://127\.0\.0\.1:\d+',
                      r'TRIPSWITCH_PROJECT_ID=[0-9a-f-]{36}',
                      r'TRIPSWITCH_API_KEY=eb_pk_[0-9a-f]{40}',
                      r'TRIPSWITCH_INGEST_SECRET=[0-9a-f]{64}', r'deleted'),
    'retry': says(r'breaker\(retries\): 6 rows, 12 attempts, 2 fallbacks, open',
                  r'retries\(breaker\): 6 rows, 4 attempts, 0 fallbacks, open'),
    'selectors': says(r'north: called', r'south: rejected by south-db'),
    'shutdown': test_shutdown,
    'tags': says(r'trace 4bf92f3577b34da6a3ce929d0e0e4736:'
                 r'( service=shop| route=/search| env=canary){3}',
                 r'trace none:( service=shop| route=/search| env=canary){3}'),
    'workers': test_workers,
    'threads': says(r'4 threads: 0 rejected, 4000 delivered \+ 0 dropped'),
}


def main(source, *programs):
    programs = dict(program.split('=', 1) for program in programs)
    failures = 0
    print(f'1..{len(TESTS)}')
    for i, (name, test) in enumerate(TESTS.items(), 1):
        try:
            lines = pathlib.Path(source, name + '.c').read_text().count('\n')
            assert lines <= MAX_LINES, f'{lines} lines'
            assert name in programs, 'was not built'
            test(programs[name])
            print(f'ok {i} - {name}')
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            failures += 1
            print(f'not ok {i} - {name}')
            print(f'# {type(error).__name__}: {error}'.replace('\n', '\n# '))
        sys.stdout.flush()
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
