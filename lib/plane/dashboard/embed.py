#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make one page of the dashboard's files, as C.

The style sheet and the script are put into the page; the policy names them by
their hashes, so that the browser runs and applies nothing else.

usage: embed.py INDEX_HTML STYLE_CSS SCRIPT_JS OUTPUT_C
"""

import base64
import hashlib
import pathlib
import sys

LINK = '<link rel="stylesheet" href="dashboard.css">'
SCRIPT = '<script src="dashboard.js"></script>'

HEADERS = ('Cache-Control: no-cache', 'X-Content-Type-Options: nosniff',
           'Referrer-Policy: no-referrer',
           'Cross-Origin-Opener-Policy: same-origin',
           'Cross-Origin-Resource-Policy: same-origin')


def source(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def put(page, mark, text):
    if page.count(mark) != 1:
        sys.exit(f'embed.py: {mark} is not there exactly once')
    return page.replace(mark, text)


def array(page):
    data = page.encode()
    lines = (', '.join(map(str, data[i:i + 16]))
             for i in range(0, len(data), 16))
    return ',\n    '.join(lines)


def main(index, style, script, output):
    page, style, script = (pathlib.Path(p).read_text('utf-8')
                           for p in (index, style, script))
    if '</script' in script or '</style' in style:
        sys.exit('embed.py: the file would end its own element')
    page = put(page, LINK, f'<style>{style}</style>')
    page = put(page, SCRIPT, f'<script>{script}</script>')
    policy = '; '.join((
        "default-src 'none'", f'script-src {source(script)}',
        f'style-src {source(style)}', 'img-src data:', "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'"))
    headers = '\n    '.join(f'"{line}\\r\\n"' for line in (
        *HEADERS, f'Content-Security-Policy: {policy}'))
    pathlib.Path(output).write_text(f'''\
/* Made by embed.py. */
#include "plane/dashboard_page.h"

static const unsigned char page[] = {{
    {array(page)}}};

const ts__str_t ts__dashboard_page = {{(const char *)page, sizeof(page)}};
const char ts__dashboard_headers[] = {headers};
''', 'utf-8')


main(*sys.argv[1:])
