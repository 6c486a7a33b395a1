#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the scripts of the Redis store, each behind what all share, as C.

usage: embed.py RECORD_LUA SCRIPT_LUA... OUTPUT_C
"""

import hashlib
import pathlib
import sys


def short(text):
    """Without comments, indentation and empty lines: it is sent as it is."""
    lines = (line.strip() for line in text.splitlines())
    return ''.join(f'{line}\n' for line in lines
                   if line and not line.startswith('--'))


def array(text):
    data = text.encode()
    lines = (', '.join(map(str, data[i:i + 16]))
             for i in range(0, len(data), 16))
    return ',\n    '.join(lines)


def main(record, *rest):
    *scripts, output = rest
    out = ['/* Made by embed.py. */', '#include "breaker/redis/scripts.h"']
    for path in map(pathlib.Path, scripts):
        text = short(pathlib.Path(record).read_text('utf-8') +
                     path.read_text('utf-8'))
        digest = hashlib.sha1(text.encode()).hexdigest()
        out.append(f'static const unsigned char {path.stem}[] = {{\n'
                   f'    {array(text)}}};\n\n'
                   f'const ts__redis_script_t ts__redis_{path.stem} = {{\n'
                   f'    {{"{digest}", {len(digest)}}},\n'
                   f'    {{(const char *){path.stem}, '
                   f'sizeof({path.stem})}}}};')
    pathlib.Path(output).write_text('\n\n'.join(out) + '\n', 'utf-8')


main(*sys.argv[1:])
