#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print one table of the goals, from what the benchmarks wrote down.

usage: summary.py RESULTS...
"""

import pathlib
import sys

HEAD = ['goal', 'what', 'measured', 'spread', 'goal is', '']


def rows_of(path):
    """What a program measured; one row that says so if it did not end."""
    name = path.stem
    if not path.exists():
        return [[name, '', '-', '-', '-', 'not run']]
    lines = path.read_text().splitlines()
    rows = [line.split('\t') for line in lines if line != 'end']
    if 'end' not in lines:
        rows.append([name, '', '-', '-', '-', 'BROKEN'])
    return rows


def main(paths):
    rows = [row for path in paths for row in rows_of(pathlib.Path(path))]
    widths = [max(len(row[i]) for row in [HEAD] + rows) for i in range(6)]
    for row in [HEAD, ['-' * width for width in widths]] + rows:
        print('  '.join(f'{cell:{width}}' for cell, width in
                        zip(row, widths)).rstrip())
    verdicts = [row[5] for row in rows]
    met = verdicts.count('met')
    missed = verdicts.count('NOT MET')
    print(f'{met} met, {missed} not met, {len(rows) - met - missed} other')


main(sys.argv[1:])
