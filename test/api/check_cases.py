#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fail if an acceptance case A-001 .. A-185 is named by no test.

A test names a case as a word of its own. Cases that are believed to be wrong
stand in EXCEPTIONS, with the reason.

usage: check_cases.py SOURCE_ROOT
"""

import pathlib
import re
import sys

LAST = 185

EXCEPTIONS = {
    # 'A-000': 'why',
}


def named_cases(test):
    named = set()
    for file in test.rglob('*'):
        if file.suffix in ('.c', '.py') and file.name != 'check_cases.py':
            named |= set(re.findall(r'\bA-\d{3}\b', file.read_text()))
    return named


def main(root):
    named = named_cases(pathlib.Path(root) / 'test')
    cases = [f'A-{n:03}' for n in range(1, LAST + 1)]
    missing = [c for c in cases if c not in named and c not in EXCEPTIONS]
    failures = [f'{case}: no test names it' for case in missing]
    failures += [f'{case}: there is no such case'
                 for case in sorted((named | set(EXCEPTIONS)) - set(cases))]
    failures += [f'{case}: an exception, but a test names it'
                 for case in sorted(named & set(EXCEPTIONS))]
    for failure in failures:
        print(failure)
    for case, reason in sorted(EXCEPTIONS.items()):
        print(f'{case}: exception: {reason}')
    print(f'{len(cases) - len(missing)} of {len(cases)} cases, '
          f'{len(EXCEPTIONS)} exceptions')
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
