#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More connections than the plane takes, and bodies that inflate.

usage: test_crowd.py TRIPSWITCH_PLANE
"""

import gzip
import pathlib
import re
import resource
import select
import socket
import sys
import time
import urllib.parse

from plane_program import LIMIT_S, Plane, run_tests

PROGRAM = sys.argv[1]

# As many as the plane takes, and more; and what will do where the system does
# not let us have so many.
WANTED, LEAST = 10500, 2000
OTHERS = 100

BOMBS = 24
MIB = 1 << 20


def room():
    """Connections that this process may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(WANTED, most - OTHERS)


def address(plane):
    parts = urllib.parse.urlsplit(plane.url)
    return parts.hostname, parts.port


def most_memory(plane):
    """What it had at most so far, in bytes."""
    status = pathlib.Path(f'/proc/{plane.process.pid}/status').read_text()
    return int(re.search(r'VmHWM:\s+(\d+) kB', status)[1]) * 1024


class Listener:
    """Has the state stream open."""

    def __init__(self, plane):
        self.connection = plane.connect()
        self.connection.request(
            'GET', f'/v1/projects/{plane.project}/breakers/state:stream',
            headers={'Authorization':
                     f'Bearer {plane.env["TRIPSWITCH_API_KEY"]}'})
        self.answer = self.connection.getresponse()
        self.await_line(b': snapshot ')

    def await_line(self, text):
        while text not in (line := self.answer.readline()):
            assert line, text


def check_others(plane, breaker, router, listener):
    """Changes are told, samples taken, and newcomers answered."""
    plane.connection.close()  # it may have made room; the next is a new one
    path = f'/plane/v1/projects/{plane.project}/breakers/{breaker}/override'
    for state in 'open', 'closed':
        status, answer = plane.ask('PUT', path, {'state': state})
        assert status == 204, answer
        listener.await_line(f'"state":"{state}"'.encode())
    plane.send_samples(router, 500, True, int(time.time() * 1000))
    assert plane.manage('GET')[0] == 200


def is_cut(peer):
    poll = select.poll()
    poll.register(peer, select.POLLIN)
    return bool(poll.poll(0))


def silent_crowd():
    """ten thousand silent connections take nobody else's place, and little
    memory"""
    count = room()
    assert count >= LEAST, count
    most = min(10000, count - 500)
    with Plane(PROGRAM, '--max-connections', str(most)) as plane:
        breaker = plane.add_breaker('b')
        router = plane.add_router(breaker)
        listener = Listener(plane)
        before = most_memory(plane)
        crowd = []
        for _ in range(count):
            crowd.append(socket.create_connection(address(plane), LIMIT_S))
        check_others(plane, breaker, router, listener)
        took = most_memory(plane) - before
        print(f'# {count} connections took {took // 1024} KiB')
        assert took < count * 8192, took
        assert is_cut(crowd[0]) and not is_cut(crowd[-1])
        for peer in crowd:
            peer.close()
        check_others(plane, breaker, router, listener)
        assert plane.end() == (0, '')


def make_bomb(plane):
    """16 MiB of a hundred thousand values, in fifty kilobytes."""
    members = ','.join(['{"%s":[]}' % ('k' * 480)] * 33000)
    body = gzip.compress(f'{{"samples":[],"x":[{members}]}}'.encode())
    head = (f'POST /v1/projects/{plane.project}/ingest HTTP/1.1\r\nHost: x\r\n'
            f'Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n')
    return head.encode() + body


def bombs():
    """bodies that inflate far keep nobody waiting, and take memory one by
    one"""
    with Plane(PROGRAM) as plane:
        breaker = plane.add_breaker('b')
        router = plane.add_router(breaker)
        listener = Listener(plane)
        before = most_memory(plane)
        bomb = make_bomb(plane)
        crowd = []
        for _ in range(BOMBS):
            crowd.append(socket.create_connection(address(plane), LIMIT_S))
            crowd[-1].sendall(bomb)
        check_others(plane, breaker, router, listener)
        left = sum(not is_cut(peer) for peer in crowd)
        for peer in crowd:
            assert b' 202 ' in peer.recv(4096)
        took = most_memory(plane) - before
        print(f'# {left} of {BOMBS} were left when all others were served; '
              f'they took {took // MIB} MiB')
        assert left > 0
        # All at once would take 1200; a sanitizer keeps 256 that are free.
        assert took < 700 * MIB, took
        assert plane.end() == (0, '')


sys.exit(run_tests([silent_crowd, bombs]))
