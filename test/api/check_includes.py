#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fail on an #include under lib/ that the tables of lib/README.md do not have.

usage: check_includes.py SOURCE_ROOT
"""

import fnmatch
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def tables(text):
    """The rows of the two tables: folder -> folders, header -> patterns."""
    layers, corners = {}, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        names = re.findall(r'`([^`]+)`', cells[0])
        if not line.startswith('|') or not names:
            continue
        if len(cells) == 3:
            layers[names[0].rstrip('/')] = set(re.findall(r'\w+', cells[2]))
        elif len(cells) == 2:
            for name in names:
                corners[name] = re.findall(r'`([^`]+)`', cells[1])
    return layers, corners


def complaint(path, folder, header, is_ours, layers, corners):
    for vendored, patterns in corners.items():
        if header == vendored or (vendored.endswith('/')
                                  and header.startswith(vendored)):
            if any(fnmatch.fnmatchcase(path, p) for p in patterns):
                return None
            return f'{header} is only for {", ".join(patterns)}'
    if not is_ours or header.startswith('tripswitch/'):
        return None
    target = header.split('/')[0]
    if '/' not in header or target not in layers:
        return f'"{header}" is not spelled from lib/'
    if target != folder and target not in layers[folder]:
        return f'{folder}/ may not include {target}/ ("{header}")'
    return None


def main(root):
    lib = pathlib.Path(root) / 'lib'
    layers, corners = tables((lib / 'README.md').read_text())
    if len(layers) < 7 or len(corners) < 6:
        sys.exit('lib/README.md: the tables were not found')
    failures, arrows = [], 0
    for file in sorted(lib.rglob('*.[ch]')):
        path = file.relative_to(lib).as_posix()
        folder = path.split('/')[0]
        if folder not in layers:
            failures.append(f'lib/{path}: the map does not have {folder}/')
            continue
        for ours, system in INCLUDE.findall(file.read_text()):
            arrows += 1
            why = complaint(path, folder, ours or system, bool(ours), layers,
                            corners)
            if why:
                failures.append(f'lib/{path}: {why}')
    for failure in failures:
        print(failure)
    print(f'{arrows} includes, {len(failures)} wrong')
    return 1 if failures or arrows == 0 else 0


sys.exit(main(*sys.argv[1:]))
