#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""100,000 calls through the driver while the plane goes and comes back twice.

Whenever nothing runs, the samples taken are exactly those delivered, dropped,
buffered and in flight; while calls run, their number is between those of the
calls answered and those begun. Prints TAP.

usage: test_outage.py CONTRACT_DRIVER LOCAL_PLANE
"""

import json
import subprocess
import sys

ROUNDS = 20
COMMANDS = 50  # at once, each making its calls one after the other
CALLS = 100
STOP, LISTEN = (5, 12), (8, 15)  # before these rounds


def start(program):
    return subprocess.Popen([program], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, bufsize=1)


def ask_plane(plane, text):
    plane.stdin.write(text + '\n')
    return plane.stdout.readline().strip()


class Driver:
    def __init__(self, program):
        self.process = start(program)
        self.begun = self.answered = self.looks = 0

    def send(self, cmd, id, **members):
        self.process.stdin.write(json.dumps(
            {'cmd': cmd, 'id': id, 'client': 'c', **members}) + '\n')

    def events(self):
        for line in self.process.stdout:
            yield json.loads(line)
        raise AssertionError('the driver ended')

    def wait(self, *ids):
        """The answers to these commands; each stats on the way is a look."""
        answers = {}
        for event in self.events():
            id = event.get('id')
            if id == 'look':
                self.look(event['stats'])
            elif id in ids:
                answers[id] = event
                self.answered += event.get('ran', 0)
                if len(answers) == len(ids):
                    return answers

    def look(self, stats):
        taken = sum(stats[k] for k in ('delivered_samples', 'dropped_samples',
                                       'buffer_size', 'in_flight_samples'))
        assert self.answered <= taken <= self.begun, (
            self.answered, taken, self.begun)
        self.looks += 1


def run_round(driver, number):
    ids = [f'e{number}-{n}' for n in range(COMMANDS)]
    for n, id in enumerate(ids):
        driver.begun += CALLS
        driver.send('execute', id, count=CALLS, task_ms=1, fail_every=7,
                    breakers=['checkout'], router='router-1',
                    start=n * CALLS, trace_id=f'{number}-%d',
                    tags={'round': str(number)},
                    metrics={'latency': 'latency'})
        if n % 10 == 0:
            driver.send('stats', 'look')
    answers = driver.wait(*ids)
    for answer in answers.values():
        assert answer['errors'] == {}, answer
        assert answer['ran'] + answer['rejected'] == CALLS, answer
    driver.begun = driver.answered  # rejected calls make no samples
    driver.send('stats', 'look')
    driver.send('sleep', 'quiet', ms=0)
    driver.wait('quiet')


def main(driver_program, plane_program):
    plane = start(plane_program)
    url = plane.stdout.readline().strip()
    driver = Driver(driver_program)
    driver.send('create', 'create', options={
        'project_id': 'project', 'api_key': 'eb_pk_local', 'base_url': url,
        'reconnect_min_ms': 50, 'reconnect_max_ms': 100,
        'flush_interval_ms': 100, 'log_level': 'off'})
    driver.wait('create')
    for number in range(ROUNDS):
        if number in STOP:
            ask_plane(plane, 'stop')
        if number in LISTEN:
            ask_plane(plane, 'listen')
        run_round(driver, number)
    driver.send('close', 'close', timeout_ms=60000)
    closed = driver.wait('close')['close']
    driver.process.stdin.close()
    stats = closed['stats']
    driver.look(stats)
    accepted = int(ask_plane(plane, 'quit'))
    assert closed['clean'] and stats['buffer_size'] == 0, closed
    assert accepted >= stats['delivered_samples'] > 0, (accepted, stats)
    assert stats['sse_reconnects'] >= 2, stats
    assert driver.process.wait() == 0 and plane.wait() == 0
    print(f'# {driver.answered} samples in {driver.looks} looks: {stats}')


print('1..1')
try:
    main(*sys.argv[1:])
    print('ok 1 - the books balance through two outages')
except AssertionError as error:
    print(f'not ok 1 - the books balance through two outages\n# {error}')
    sys.exit(1)
