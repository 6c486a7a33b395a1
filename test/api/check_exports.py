#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what a library exports with its map, its headers and exports.c.

usage: check_exports.py NM LIBRARY MAP EXPORTS_C HEADER...
"""

import pathlib
import re
import subprocess
import sys


def in_map(path):
    text = re.sub(r'/\*.*?\*/', '', path.read_text(), flags=re.S)
    return set(re.findall(r'^\s*(ts_\w+);', text, re.M))


def in_library(nm, path):
    out = subprocess.run([nm, '-D', '--defined-only', path], check=True,
                         capture_output=True, text=True).stdout
    symbols = [line.split() for line in out.splitlines()]
    # "A" is the version node itself.
    return {s[-1].split('@')[0] for s in symbols if s[-2] != 'A'}


def in_header(path):
    text = re.sub(r'/\*.*?\*/', '', path.read_text(), flags=re.S)
    text = re.sub(r'^#.*?(?<!\\)$', '', text, flags=re.M | re.S)
    return set(re.findall(r'TS_EXTERN\b[^;(]*?\b(ts_\w+)\s*\(', text))


def main(nm, library, map_file, exports, *headers):
    names = in_map(pathlib.Path(map_file))
    declared = set()
    for header in headers:
        declared |= in_header(pathlib.Path(header))
    listed = set(re.findall(r'\bEXPORT\((ts_\w+)\)',
                            pathlib.Path(exports).read_text()))
    failures = []
    for what, other in (('the library exports', in_library(nm, library)),
                        ('the headers declare', declared)):
        failures += [f'{what} {n}, the map has it not' for n in other - names]
        failures += [f'the map has {n}, but not: {what}' for n in names - other]
    failures += [f'exports.c does not link {n}' for n in names - listed]
    for failure in sorted(failures):
        print(failure)
    print(f'{len(names)} symbols, {len(failures)} differences')
    return 1 if failures or not names else 0


sys.exit(main(*sys.argv[1:]))
