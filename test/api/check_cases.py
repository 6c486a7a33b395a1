#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fail if an acceptance case is named by no test: A-001 .. A-185, E1 .. E74,
ADM-1 .. ADM-132, B01 .. B125.

A test names a case as a word of its own. Cases that are believed to be wrong
stand in EXCEPTIONS, with the reason; those whose tests are still to come, in
TO_COME, and nothing may stand there without need.

usage: check_cases.py SOURCE_ROOT
"""

import pathlib
import re
import sys

# How the cases are written: a pattern of the word, and all there are.
FAMILIES = {
    'A': (r'\bA-\d{3}\b', [f'A-{n:03}' for n in range(1, 186)]),
    'ADM': (r'\bADM-\d+\b', [f'ADM-{n}' for n in range(1, 133)]),
    'B': (r'\bB\d{2,3}\b', [f'B{n:02}' for n in range(1, 126)]),
    'E': (r'\bE[1-9]\d?\b', [f'E{n}' for n in range(1, 75)]),
}

EXCEPTIONS = {
    # 'A-000': 'why',
}

TO_COME = set()


def texts_of(test):
    for file in test.rglob('*'):
        if file.suffix in ('.c', '.py') and file.name != 'check_cases.py':
            yield file.read_text()


def check(pattern, cases, texts):
    named = {case for text in texts for case in re.findall(pattern, text)}
    ours = set(EXCEPTIONS) & set(cases)
    late = TO_COME & set(cases)
    missing = [c for c in cases if c not in named | ours | late]
    failures = [f'{case}: no test names it' for case in missing]
    failures += [f'{case}: there is no such case'
                 for case in sorted(named - set(cases))]
    failures += [f'{case}: an exception or to come, but a test names it'
                 for case in sorted(named & (ours | late))]
    print(f'{len(named & set(cases))} of {len(cases)} cases, '
          f'{len(ours)} exceptions, {len(late)} to come')
    return failures


def main(root):
    texts = list(texts_of(pathlib.Path(root) / 'test'))
    failures = []
    for pattern, cases in FAMILIES.values():
        failures += check(pattern, cases, texts)
    for failure in failures:
        print(failure)
    for case, reason in sorted(EXCEPTIONS.items()):
        print(f'{case}: exception: {reason}')
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
