#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill the plane again and again while it is told to change things.

Several clients create, change, force and delete breakers at once; at a moment
that nobody chose the process is killed. After each restart everything that was acknowledged
is there, what was under way is there whole or not at all, and nothing else.

usage: test_crash.py TRIPSWITCH_PLANE [ROUNDS]
"""

import http.client
import pathlib
import random
import sys
import tempfile
import threading
import time

from plane_program import Plane, run_tests

PROGRAM = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
CLIENTS = 4
LOST = (OSError, http.client.HTTPException)


class Client(threading.Thread):
    """Works on breakers of its own, one request at a time, until the plane
    dies. `known` is what was acknowledged: name -> (id, threshold, state);
    `doubt` the one request that was not: the name, and what it would be."""

    def __init__(self, number, known, seed):
        super().__init__(daemon=True)
        self.number, self.known = number, known
        self.random = random.Random(seed)
        self.doubt = self.error = None
        self.acknowledged = 0

    def begin(self, plane):
        # Each has a connection of its own.
        self.plane = Plane.__new__(Plane)
        self.plane.__dict__.update(plane.__dict__, connection=None)
        self.start()

    def run(self):
        try:
            while True:
                self.one_request()
                self.acknowledged += 1
        except LOST:
            pass
        except Exception as error:
            self.error = error

    def one_request(self):
        names = sorted(self.known)
        deed = self.random.choice((self.create, self.create, self.change,
                                   self.force, self.delete))
        if not names:
            deed = self.create
        name = self.random.choice(names or [None])
        deed(name, *self.known.get(name, ()))
        self.doubt = None

    def expect(self, name, becomes):
        self.doubt = (name, becomes)

    def create(self, *_):
        name = f'c{self.number}-{self.random.randrange(1 << 60)}'
        threshold = self.random.randrange(1, 1 << 40)
        self.expect(name, (None, threshold, 'closed'))
        id = self.plane.add_breaker(name, threshold=threshold)
        self.known[name] = (id, threshold, 'closed')

    def change(self, name, id, _, state):
        threshold = self.random.randrange(1, 1 << 40)
        self.expect(name, (id, threshold, state))
        status, answer = self.plane.manage('PATCH', f'/breakers/{id}',
                                           {'threshold': threshold})
        assert status == 200, answer
        self.known[name] = (id, threshold, state)

    def force(self, name, id, threshold, _):
        state = self.random.choice(('open', 'closed'))
        self.expect(name, (id, threshold, state))
        status, answer = self.plane.ask(
            'PUT', f'/plane/v1/projects/{self.plane.project}/breakers/{id}'
            '/override', {'state': state})
        assert status == 204, answer
        self.known[name] = (id, threshold, state)

    def delete(self, name, id, *_):
        self.expect(name, None)
        status, answer = self.plane.manage('DELETE', f'/breakers/{id}')
        assert status == 204, answer
        del self.known[name]

    def settle(self, found):
        """What was under way happened, or it did not."""
        if not self.doubt:
            return
        name, becomes = self.doubt
        there = found.get(name)
        if there and becomes and there[1:] == becomes[1:]:
            self.known[name] = there
        elif not there and not becomes:
            del self.known[name]


def breakers_of(plane):
    status, listed = plane.manage('GET', '/breakers')
    assert status == 200, listed
    status, watched = plane.ask(
        'GET', f'/plane/v1/projects/{plane.project}/breakers')
    assert status == 200, watched
    states = {b['breaker_id']: b['state'] for b in watched['breakers']}
    return {b['name']: (b['id'], b['threshold'], states[b['id']])
            for b in listed['breakers']}


def check(plane, clients):
    found = breakers_of(plane)
    for client in clients:
        assert client.error is None, client.error
        client.settle(found)
    known = {}
    for client in clients:
        known.update(client.known)
    assert found == known, (
        f'lost {set(known.items()) - set(found.items())}, '
        f'extra {set(found.items()) - set(known.items())}')


def survives_kills():
    """acknowledged changes survive SIGKILL at any moment, whole"""
    known = [{} for _ in range(CLIENTS)]
    acknowledged = rounds_with_doubt = 0
    clients = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS + 1):
            with Plane(PROGRAM, '--data', f'{folder}/data') as plane:
                check(plane, clients)
                if number == ROUNDS:
                    assert plane.end()[0] == 0
                    break
                clients = [Client(i, known[i], f'{number} {i}')
                           for i in range(CLIENTS)]
                for client in clients:
                    client.begin(plane)
                time.sleep(random.Random(number).uniform(0.02, 0.2))
                plane.kill()
                for client in clients:
                    client.join()
                    acknowledged += client.acknowledged
                rounds_with_doubt += any(c.doubt for c in clients)
        left = sorted(p.name for p in pathlib.Path(folder).iterdir())
        assert left == ['data'], left
    print(f'# {acknowledged} changes acknowledged, {rounds_with_doubt} of '
          f'{ROUNDS} kills with one under way')
    assert acknowledged > 10 * ROUNDS, acknowledged
    assert rounds_with_doubt > ROUNDS / 2, rounds_with_doubt


sys.exit(run_tests([survives_kills]))
