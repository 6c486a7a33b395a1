# SPDX-License-Identifier: Apache-2.0
"""tripswitch-plane as a process, and requests to it."""

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import urllib.parse

ADMIN_KEY = 'eb_admin_0123456789abcdef'
LIMIT_S = 60


def environment(**more):
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith('TRIPSWITCH_')}
    return {**kept, **more}


class Plane:
    """Runs until stopped. `printed` is what it said at its start."""

    def __init__(self, program, *arguments, admin_key=ADMIN_KEY, ca=None,
                 limits=None, **variables):
        if admin_key:
            variables['TRIPSWITCH_ADMIN_KEY'] = admin_key
        self.admin_key = admin_key
        self.tls = ca and ssl.create_default_context(cafile=ca)
        self.process = subprocess.Popen(
            [program, '--listen', '127.0.0.1:0', *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=limits, restore_signals=limits is None,
            env=environment(**variables))
        self.printed = ''
        for line in self.process.stdout:
            self.printed += line
            if 'TRIPSWITCH_INGEST_SECRET' in line:
                break
        else:
            error = self.process.stderr.read()
            raise AssertionError(
                f'it ended with {self.process.wait()}: {error}')
        self.env = dict(re.findall(r'export (\w+)=(\S+)', self.printed))
        self.url = self.env['TRIPSWITCH_BASE_URL']
        self.project = self.env['TRIPSWITCH_PROJECT_ID']
        self.connection = None

    def connect(self):
        address = urllib.parse.urlsplit(self.url).netloc
        if self.tls:
            return http.client.HTTPSConnection(address, timeout=LIMIT_S,
                                               context=self.tls)
        return http.client.HTTPConnection(address, timeout=LIMIT_S)

    def ask(self, method, path, body=None, key=None):
        """The status and the answer, read as JSON. Raises if the plane dies
        before it has answered."""
        self.connection = self.connection or self.connect()
        headers = {'Authorization': f'Bearer {key or self.admin_key}'}
        if body is not None:
            headers['Content-Type'] = 'application/json'
            body = json.dumps(body)
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except BaseException:
            self.connection.close()
            self.connection = None
            raise
        is_json = 'json' in answer.headers.get('Content-Type', '')
        return answer.status, (json.loads(text) if text and is_json else text)

    def manage(self, method, rest='', body=None):
        """Below the project, with the admin key."""
        return self.ask(method, f'/v1/projects/{self.project}{rest}', body)

    def add_breaker(self, name, **members):
        status, answer = self.manage('POST', '/breakers', {
            'name': name, 'metric': 'latency', 'kind': 'error_rate',
            'op': 'gt', 'threshold': 0.5, **members})
        assert status == 201, answer
        return answer['breaker']['id']

    def add_router(self, *breaker_ids):
        status, answer = self.manage('POST', '/routers', {'name': 'r'})
        assert status == 201, answer
        router = answer['router']['id']
        if breaker_ids:
            status, answer = self.manage(
                'POST', f'/routers/{router}/breakers',
                {'breaker_ids': list(breaker_ids)})
            assert status == 204, answer
        return router

    def send_samples(self, router, count, ok, now_ms, value=1, **members):
        sample = {'router_id': router, 'metric': 'latency', 'ts_ms': now_ms,
                  'value': value, 'ok': ok, **members}
        status, answer = self.manage('POST', '/ingest',
                                     {'samples': [sample] * count})
        assert status == 202, answer

    def end(self, number=signal.SIGTERM):
        """The exit status, and what it wrote to standard error."""
        if self.connection:
            self.connection.close()
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, error

    def kill(self):
        return self.end(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def run_tests(tests):
    """Run functions as a TAP test; the docstring names each."""
    print(f'1..{len(tests)}')
    failed = 0
    for number, test in enumerate(tests, 1):
        name = ' '.join((test.__doc__ or test.__name__).split())
        try:
            test()
        except Exception as error:  # whatever it is: the next one still runs
            import traceback
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
            print(f'not ok {number} - {name}', flush=True)
        else:
            print(f'ok {number} - {name}', flush=True)
    return 1 if failed else 0
