#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count the instructions of a call with callgrind, and hold them to ceilings.

The count of one binary is the same in every run. Compilers and C libraries
differ by some per cent, so each ceiling stands about an eighth above the
largest count found (gcc 12 and clang 14, Debian 12): room for another
compiler, not for another hash, copy or clock read. Lower them when calls
become cheaper.

Prints TAP. usage: check_instructions.py DRIVER VALGRIND
"""

import re
import subprocess
import sys

# Instructions per call, what the C library and libuv do included.
CEILINGS = {
    'open': 605,
    'closed': 1180,
    'half': 1305,
    'async': 1555,
    'full': 2600,
    'guard': 585,
    'guard-async': 1005,
    'allow': 860,
    'own': 465,
    'own-open': 225,
    'own-run': 660,
}


def count(driver, valgrind, kind):
    """Instructions of one call of this kind."""
    run = subprocess.run(
        [valgrind, '--tool=callgrind', '--toggle-collect=measured_block',
         '--callgrind-out-file=/dev/null', driver, kind],
        capture_output=True, text=True, timeout=600, check=False)
    calls = re.search(r'(\d+) calls', run.stdout)
    collected = re.search(r'Collected : (\d+)', run.stderr)
    if run.returncode != 0 or not calls or not collected:
        sys.exit(f'Bail out! {kind}: {run.stdout}{run.stderr}')
    return int(collected.group(1)) / int(calls.group(1))


def main(driver, valgrind):
    print(f'1..{len(CEILINGS)}')
    for number, (kind, ceiling) in enumerate(CEILINGS.items(), 1):
        counted = count(driver, valgrind, kind)
        ok = 'ok' if counted <= ceiling else 'not ok'
        print(f'{ok} {number} - {kind}: {counted:.0f} instructions, '
              f'ceiling {ceiling}', flush=True)


main(*sys.argv[1:])
