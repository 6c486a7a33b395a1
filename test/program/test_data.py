#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The data file of tripswitch-plane: what outlives it, and what it refuses.

usage: test_data.py TRIPSWITCH_PLANE
"""

import contextlib
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from plane_program import ADMIN_KEY, LIMIT_S, Plane, environment, run_tests

PROGRAM = sys.argv[1]


@contextlib.contextmanager
def data_file():
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder) / 'data'


def refused(path):
    """How a plane ends that is given this file."""
    ended = subprocess.run(
        [PROGRAM, '--listen', '127.0.0.1:0', '--data', str(path)],
        capture_output=True, text=True, timeout=LIMIT_S, env=environment())
    assert ended.returncode == 1 and ended.stdout == '', ended
    assert str(path) in ended.stderr, ended
    return ended.stderr


def watched(plane, what='breakers'):
    status, answer = plane.ask(
        'GET', f'/plane/v1/projects/{plane.project}/{what}')
    assert status == 200, answer
    return answer[what]


def outlives_a_restart():
    """configuration, links, keys, states, overrides and the log outlive it; keys
    are not in the file, samples are not kept"""
    with data_file() as path:
        with Plane(PROGRAM, '--data', str(path)) as plane:
            tripped = plane.add_breaker('tripped', cooldown_ms=3600000)
            forced = plane.add_breaker('forced')
            router = plane.add_router(tripped, forced)
            plane.send_samples(router, 20, False, int(time.time() * 1000))
            override = (f'/plane/v1/projects/{plane.project}/breakers/{forced}'
                        '/override')
            assert plane.ask('PUT', override, {'state': 'closed'})[0] == 204
            status, made = plane.manage('POST', '/keys', {'name': 'ci'})
            assert status == 201, made
            before = plane.manage('GET', '/breakers')[1]
            log = watched(plane, 'events')
            keys = [made['key'], plane.env['TRIPSWITCH_API_KEY']]
            assert plane.end() == (0, '')
        assert {e['to_state'] for e in log} == {'open', 'closed'}, log
        text = path.read_bytes()
        assert not any(key.encode() in text for key in [*keys, ADMIN_KEY])
        assert path.stat().st_mode & 0o777 == 0o600
        with Plane(PROGRAM, '--data', str(path)) as plane:
            assert 'as when' in plane.printed, plane.printed
            after = plane.manage('GET', '/breakers')[1]
            assert after['breakers'] == before['breakers'], (after, before)
            assert watched(plane, 'events') == log
            found = {b['name']: b for b in watched(plane)}
            assert found['tripped']['state'] == 'open', found
            assert found['tripped']['count'] == 0, found
            assert found['forced']['forced'] is True, found
            assert found['forced']['state'] == 'closed', found
            for key in keys:
                path = f'/v1/projects/{plane.project}/status'
                assert plane.ask('GET', path, key=key)[0] == 200
            plane.send_samples(router, 20, False, int(time.time() * 1000))
            assert plane.ask('DELETE', override)[0] == 204
            assert plane.end() == (0, '')


def one_plane_at_a_time():
    """a file that a plane has open is refused to a second one"""
    with data_file() as path, Plane(PROGRAM, '--data', str(path)) as plane:
        assert 'another process' in refused(path)
        plane.add_breaker('still-works')
        assert plane.end() == (0, '')


def refuses_what_is_not_its_own():
    """another program's file, a newer version's, a damaged one, and what is no
    database are refused with a word on why, and left as they are"""
    with data_file() as path:
        with Plane(PROGRAM, '--data', str(path)) as plane:
            for i in range(50):
                plane.add_breaker(f'b{i}')
            assert plane.end() == (0, '')
        good = path.read_bytes()
        assert len(good) > 5 * 4096
        for bad, word in (
                (b'Dear diary, ' * 500, 'not a database'),
                (good[:60] + b'\0\0\0\x63' + good[64:], 'newer version'),
                (good[:68] + b'abcd' + good[72:], 'another program'),
                (good[:4096] + os.urandom(2 * 4096) + good[3 * 4096:], ''),
                (good[:3 * 4096], '')):
            path.write_bytes(bad)
            assert word in refused(path)
            assert path.read_bytes() == bad, word
        path.write_bytes(good)
        with Plane(PROGRAM, '--data', str(path)) as plane:
            assert len(watched(plane)) == 50


def limit_files(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def disk_full():
    """without room on the disk changes are answered 500 and not made; nothing
    that was acknowledged is lost"""
    with data_file() as path:
        made = set()
        refusals = 0
        with Plane(PROGRAM, '--data', str(path),
                   limits=limit_files(400000)) as plane:
            for i in range(400):
                name = f'b{i}'
                status, answer = plane.manage('POST', '/breakers', {
                    'name': name, 'metric': 'm' * 255, 'kind': 'avg',
                    'op': 'gt', 'threshold': i,
                    'actions': {'note': 'x' * 2000}})
                assert status in (201, 500), answer
                made |= {name} if status == 201 else set()
                refusals += status == 500
            assert 0 < len(made) and refusals > 10, (len(made), refusals)
            assert {b['name'] for b in watched(plane)} == made
            _, error = plane.end()
            assert 'cannot be written' in error, error
        with Plane(PROGRAM, '--data', str(path)) as plane:
            assert {b['name'] for b in watched(plane)} == made
            plane.add_breaker('there-is-room-again')


sys.exit(run_tests([outlives_a_restart, one_plane_at_a_time,
                    refuses_what_is_not_its_own, disk_full]))
