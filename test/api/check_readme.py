#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what README.md copies from elsewhere in the tree.

The program it shows is examples/minimal.c; the options and defaults it lists
are those of TS_CLIENT_OPTIONS_INIT; the files it links to exist.

usage: check_readme.py SOURCE_ROOT
"""

import pathlib
import re
import sys


def without_comments(text):
    return re.sub(r'/\*.*?\*/', '', text, flags=re.S)


def fields(header):
    """The names of ts_client_options_t, in their order."""
    body = re.search(r'typedef struct ts_client_options_s \{(.*?)\}',
                     without_comments(header), re.S).group(1)
    return re.findall(r'(\w+)\s*;', body)


def defaults(header):
    """The values of TS_CLIENT_OPTIONS_INIT, in their order."""
    body = re.search(r'#define TS_CLIENT_OPTIONS_INIT(.*?)\}', header,
                     re.S).group(1)
    return [v.strip() for v in re.sub(r'[\\{\n]', ' ', body).split(',')]


def table(readme):
    """option -> default, as listed."""
    listed = {}
    section = readme.split('\n## Options\n')[1].split('\n## ')[0]
    for line in section.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if line.startswith('| `') and len(cells) == 3:
            names, values = (re.findall(r'`([^`]+)`', c) for c in cells[:2])
            listed.update(zip(names, values))
    return listed


def main(root):
    root = pathlib.Path(root)
    readme = (root / 'README.md').read_text()
    header = (root / 'include/tripswitch/client.h').read_text()
    failures = []

    shown = re.search(r'```c\n(.*?)```', readme, re.S).group(1)
    if shown != (root / 'examples/minimal.c').read_text():
        failures.append('the program shown is not examples/minimal.c')

    names, values = fields(header), defaults(header)
    if len(names) != len(values) or names[0] != 'size':
        failures.append(f'{len(names)} fields, {len(values)} initialisers')
    listed = table(readme)
    real = dict(list(zip(names, values))[1:])
    failures += [f'option {n} is not listed' for n in real if n not in listed]
    failures += [f'option {n} does not exist' for n in listed if n not in real]
    failures += [f'{n}: listed as {listed[n]}, is {real[n]}'
                 for n in listed if n in real and listed[n] != real[n]]

    for link in re.findall(r'\]\(([^)#:]+)\)', readme):
        if not (root / link).exists():
            failures.append(f'the link {link} leads nowhere')

    contract = re.search(r'TS_CONTRACT_VERSION "([^"]+)"', (
        root / 'include/tripswitch/version.h').read_text()).group(1)
    if f'SDK contract {contract}' not in readme:
        failures.append(f'SDK contract {contract} is not named')

    for failure in failures:
        print(failure)
    print(f'{len(listed)} options, {len(failures)} differences')
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
