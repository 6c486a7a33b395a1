#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tripswitch-plane from outside: its options, its start and its end.

usage: test_program.py TRIPSWITCH_PLANE MINIMAL_EXAMPLE|''
"""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

from plane_program import LIMIT_S, Plane, environment, run_tests

PROGRAM, MINIMAL = sys.argv[1:3]


def run(*arguments, **variables):
    return subprocess.run([PROGRAM, *arguments], capture_output=True,
                          text=True, timeout=LIMIT_S,
                          env=environment(**variables))


def help_and_version():
    """--help explains each option, --version tells the version"""
    text = run('--help')
    assert text.returncode == 0 and text.stderr == '', text
    assert max(map(len, text.stdout.splitlines())) <= 80, text.stdout
    source = pathlib.Path(sys.argv[0]).resolve().parents[2]
    options = (source / 'lib/program/options.c').read_text()
    names = re.findall(r'^    \{"([a-z-]+)"', options, re.M)
    assert len(names) > 10, names
    for name in names:
        assert f'--{name}' in text.stdout, name
    version = run('--version')
    assert version.returncode == 0, version
    assert re.fullmatch(r'tripswitch-plane \d+\.\d+\.\d+\n', version.stdout)


def wrong_command_lines():
    """a wrong command line is told on standard error, and ends with status 2"""
    missing = '/nowhere/at/all'
    for arguments, word in ((['--nonsense'], 'nonsense'),
                            (['extra'], 'extra'),
                            (['--listen'], 'argument'),
                            (['--listen', 'here:1:2'], 'ADDRESS:PORT'),
                            (['--listen', '127.0.0.1:65536'], 'ADDRESS:PORT'),
                            (['--listen', '127.0.0.1:'], 'ADDRESS:PORT'),
                            (['--listen', '[::1'], 'ADDRESS:PORT'),
                            (['--cert', 'x'], '--key'),
                            (['--data', ''], '--data'),
                            (['--reads-per-key', '-1'], 'number'),
                            (['--ingests-per-project', 'x'], 'number'),
                            (['--admin-calls', '1e9'], 'number'),
                            (['--max-connections', '-5'], 'number'),
                            (['--admin-key', ''], '--admin-key'),
                            (['--admin-key-file', missing], missing),
                            (['--project-key-file', '/dev/null'], 'empty')):
        ended = run(*arguments)
        assert ended.returncode == 2, (arguments, ended)
        assert ended.stdout == '', (arguments, ended)
        assert word in ended.stderr and '--help' in ended.stderr, ended


def cannot_run():
    """what cannot be run is told, and ends with status 1"""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        ended = run('--listen', f'127.0.0.1:{port}')
    assert ended.returncode == 1 and 'in use' in ended.stderr, ended
    ended = run('--listen', '127.0.0.1:0', '--cert', 'x', '--key', 'y')
    assert ended.returncode == 1 and 'certificate' in ended.stderr, ended
    ended = run('--listen', 'localhost:0')
    assert ended.returncode == 1 and 'host' in ended.stderr, ended
    ended = run('--data', '/nowhere/at/all')
    assert ended.returncode == 1 and '/nowhere/at/all' in ended.stderr, ended


def makes_keys():
    """keys that nobody gave are made, anew each time, and printed; those that
    were given keep quiet, and are gone from the command line"""
    printed = []
    for _ in range(2):
        with Plane(PROGRAM, admin_key=None) as plane:
            made = re.search(r'eb_admin_[0-9a-f]{40}', plane.printed).group()
            assert re.fullmatch(r'eb_pk_[0-9a-f]{40}',
                                plane.env['TRIPSWITCH_API_KEY'])
            assert re.fullmatch(r'[0-9a-f]{64}',
                                plane.env['TRIPSWITCH_INGEST_SECRET'])
            assert plane.ask('GET', '/v1/projects', key=made)[0] == 200
            printed.append((made, *plane.env.values()))
    assert not set(printed[0][3:]) & set(printed[1][3:]), printed
    with Plane(PROGRAM, '--admin-key', 'eb_admin_secret', admin_key=None,
               TRIPSWITCH_API_KEY='eb_pk_mine') as plane:
        assert 'eb_admin_' not in plane.printed, plane.printed
        assert plane.env['TRIPSWITCH_API_KEY'] == 'eb_pk_mine'
        pid = plane.process.pid
        shown = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
        assert b'eb_admin_secret' not in shown, shown
        assert plane.ask('GET', '/v1/projects', key='eb_admin_secret')[0] == 200
        assert plane.ask('GET', '/v1/projects', key='*' * 15)[0] == 401


def key_files():
    """a key may be the first line of a file"""
    with tempfile.NamedTemporaryFile('w', suffix='.key') as file:
        file.write('  eb_admin_filed \nnot this\n')
        file.flush()
        with Plane(PROGRAM, '--admin-key-file', file.name,
                   admin_key=None) as plane:
            assert 'eb_admin_' not in plane.printed
            assert plane.ask('GET', '/v1/projects',
                             key='eb_admin_filed')[0] == 200


def example_runs():
    """the environment it prints is all that the example in the README needs"""
    if not MINIMAL:
        return
    with Plane(PROGRAM, '--demo') as plane:
        ended = subprocess.run([MINIMAL], capture_output=True, text=True,
                               timeout=LIMIT_S, env=environment(**plane.env))
        assert 'breaker states: known' in ended.stdout, ended
        assert 'call: made' in ended.stdout, ended
        assert ended.returncode == 0, ended


def ends_in_order():
    """SIGTERM, SIGINT and SIGHUP end streams properly, and it with status 0"""
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        with Plane(PROGRAM, '--demo') as plane:
            stream = plane.connect()
            key = plane.env['TRIPSWITCH_API_KEY']
            stream.request(
                'GET', f'/v1/projects/{plane.project}/breakers/state:stream',
                headers={'Authorization': f'Bearer {key}'})
            answer = stream.getresponse()
            assert answer.readline() == b'event: state\n'
            assert plane.end(number) == (0, '')
            rest = answer.read()  # raises if the last chunk is missing
            assert rest.endswith(b': snapshot 1\n\n'), rest


def limits_and_hooks():
    """limits count, and test hooks are served only where they were asked for"""
    with Plane(PROGRAM, '--reads-per-key', '2') as plane:
        path = f'/v1/projects/{plane.project}/status'
        key = plane.env['TRIPSWITCH_API_KEY']
        answers = [plane.ask('GET', path, key=key)[0] for _ in range(9)]
        assert 429 in answers and answers[0] == 200, answers
        assert plane.ask('GET', '/plane/v1/clock')[0] == 404
    with Plane(PROGRAM, '--test-hooks') as plane:
        assert plane.ask('GET', '/plane/v1/clock')[0] == 200
    with Plane(PROGRAM, '--admin-calls', '2', '--max-connections',
               '20') as plane:
        answers = [plane.ask('GET', '/v1/projects', key=plane.admin_key)[0]
                   for _ in range(9)]
        assert 429 in answers and answers[0] == 200, answers


def serves_tls():
    """with a certificate and its key it serves https"""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = f'{folder}/cert.pem', f'{folder}/key.pem'
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
             '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
             '-keyout', key, '-out', cert], check=True, capture_output=True)
        with Plane(PROGRAM, '--cert', cert, '--key', key, ca=cert) as plane:
            assert plane.url.startswith('https://'), plane.url
            status, page = plane.ask('GET', '/')
            assert status == 200 and b'<!doctype html>' in page, status
            assert plane.end() == (0, '')


sys.exit(run_tests([help_and_version, wrong_command_lines, cannot_run,
                    makes_keys, key_files, example_runs, ends_in_order,
                    limits_and_hooks, serves_tls]))
