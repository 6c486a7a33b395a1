#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compile each public header alone, as C99, C11, C++11 and C++20.

Every header must stand on its own, pedantically, twice in a row, and without
uv.h; every initialiser must work in each language.

usage: check_headers.py INCLUDE_DIR CC [ARG...]   (C++: $CXX, or c++)
"""

import os
import pathlib
import shutil
import subprocess
import sys

STRICT = ['-pedantic', '-Wall', '-Wextra', '-Wundef', '-Werror',
          '-fsyntax-only', '-H']
STANDARDS = (('c', 'c99'), ('c', 'c11'), ('c++', 'c++11'), ('c++', 'c++20'))

USES = {
    'admin.h': 'ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;\n'
               'ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;\n'
               'void init(void);\n'
               'void init(void) { ts_admin_options_init(&options); }\n',
    'admin_types.h': ''.join(
        f'ts_admin_{name}_t {name} = TS_ADMIN_{name.upper()}_INIT;\n'
        for name in (
            'workspace_create', 'workspace_update', 'project_create',
            'project_update', 'breaker_create', 'breaker_update',
            'states_query', 'router_create', 'router_update',
            'channel_create', 'channel_update', 'page', 'events_query'))
        + 'ts_opt_string_t text = TS_SET("a"), no_text = TS_CLEAR;\n'
        'ts_opt_int_t number = TS_SET(1), no_number = TS_CLEAR;\n'
        'ts_opt_bool_t flag = TS_SET(true), no_flag = TS_CLEAR;\n'
        'ts_opt_enum_t kind = TS_SET(TS_ADMIN_KIND_P95), none = TS_CLEAR;\n',
    'call.h': 'ts_call_options_t call = TS_CALL_OPTIONS_INIT;\n'
              'ts_metric_t metrics[] = {TS_LATENCY("a"), TS_VALUE("b", 1.5),'
              ' TS_METRIC("c", 0)};\n',
    'client.h': 'ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;\n'
                'ts_stats_t stats = TS_STATS_INIT;\n'
                'ts_connection_t connection = TS_CONNECTION_INIT;\n'
                'void init(void);\n'
                'void init(void) { ts_client_options_init(&options); }\n',
    'errors.h': 'int error = TS_EOPEN;\n',
    'plane.h': 'ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;\n'
               'ts_plane_router_t router = TS_PLANE_ROUTER_INIT;\n'
               'ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;\n'
               'ts_plane_stats_t stats = TS_PLANE_STATS_INIT;\n',
    'guard.h': 'ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;\n',
    'sample.h': 'ts_report_t report = TS_REPORT_INIT;\n',
    'version.h': 'int number = TS_VERSION_NUMBER;\n',
}


def compile_one(compiler, language, standard, include, header):
    line = f'#include "tripswitch/{header}"\n'
    # -Wmissing-field-initializers stays on: the macros must set every field.
    run = subprocess.run(
        compiler + ['-x', language, f'-std={standard}', f'-I{include}']
        + STRICT + ['-'],
        input=line * 2 + USES.get(header, 'typedef int used_t;\n'),
        capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr
    if '/uv.h' in run.stderr:
        return 'includes uv.h'
    return None


def main(include, *cc):
    cxx = os.environ.get('CXX', 'c++').split()
    if shutil.which(cxx[0]) is None:
        sys.exit(f'no C++ compiler ({cxx[0]}): the headers cannot be checked')
    headers = sorted(p.name for p in
                     (pathlib.Path(include) / 'tripswitch').glob('*.h'))
    failures = 0
    for language, standard in STANDARDS:
        compiler = list(cc) if language == 'c' else cxx
        for header in headers:
            why = compile_one(compiler, language, standard, include, header)
            if why:
                failures += 1
                print(f'{header} as {standard}: {why}')
    print(f'{len(headers)} headers, {failures} failures')
    return 1 if failures or not headers else 0


sys.exit(main(*sys.argv[1:]))
