#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real browser, over a plane that a real program runs.

Prints TAP. Screenshots of both colour schemes are left in the given folder.

usage: test_dashboard.py TRIPSWITCH_PLANE FOLDER_FOR_SCREENSHOTS
"""

import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent
                       / 'program'))
from plane_program import Plane, run_tests  # noqa: E402
from webdriver import ENTER, ESCAPE, SPACE, TAB, Browser  # noqa: E402

PROGRAM, SHOTS = sys.argv[1], pathlib.Path(sys.argv[2])
DOWN = '\ue015'
LIVELY = {'window_ms': 10000, 'min_count': 4, 'eval_interval_ms': 200,
          'cooldown_ms': 600000}


def now_ms():
    return int(time.time() * 1000)


def sign_in(browser, plane, key=None):
    browser.open(plane.url + '/')
    browser.find('#key').type(key or plane.admin_key, ENTER)
    browser.wait(lambda: browser.find('#board').is_shown(), 'the board')
    browser.wait(lambda: live(browser) == 'Live', 'the stream')


def live(browser):
    return browser.find('#live-text').text()


def row(browser, name):
    """The texts of a breaker's row, by column."""
    for texts in browser.run(
            'return [...document.querySelectorAll("#rows tr")]'
            '.map(r => [...r.children].map(c => c.innerText))'):
        if texts[0].split('\n')[0] == name:
            return dict(zip(('breaker', 'state', 'rate', 'value'), texts))
    return {'state': '', 'rate': '', 'value': '', 'breaker': ''}


def events(browser):
    return browser.run('return [...document.querySelectorAll("#entries tr")]'
                       '.map(r => r.innerText)')


def quiet(browser, *, network=False):
    """The console has said nothing (but for lost connections, if expected)."""
    said = [entry for entry in browser.console()
            if not (network and entry['source'] == 'network')]
    assert said == [], said


def focused(browser, what):
    return browser.run(f'const e = document.activeElement; return {what}')


def trip(plane, router):
    plane.send_samples(router, 200, False, now_ms(), value=150)


def override(browser, name, choice):
    buttons = [b for b in browser.find_all('#rows button')
               if b.label() == f'Override {name}']
    buttons[0].click()
    browser.find(f'#override [value={choice}]').click()
    browser.find('#override button[type=submit]').click()
    browser.wait(lambda: not browser.find('#override').is_shown(),
                 'the end of the dialog')


def fill(plane):
    """Some breakers that measure something, for the screenshots."""
    router = plane.add_router(
        plane.add_breaker('checkout', **LIVELY),
        plane.add_breaker('inventory-lookup', kind='p95', threshold=250,
                          **LIVELY),
        plane.add_breaker('recommendations', kind='avg', threshold=400,
                          **LIVELY),
        plane.add_breaker('search', kind='consecutive_failures', op='gte',
                          threshold=15, **LIVELY))
    for i in range(12):
        plane.send_samples(router, 5, True, now_ms(), value=120 + 9 * (i % 5))
        time.sleep(0.25)
    return router


def lives_without_a_reload():
    """a breaker trips, and the page shows it at once: state, rate, log, and a
    word for screen readers; nothing goes to the console"""
    with Plane(PROGRAM) as plane, Browser() as browser:
        router = fill(plane)
        sign_in(browser, plane)
        browser.wait(lambda: '✓closed' in row(browser, 'checkout')['state']
                     .replace('\n', ''), 'the closed breaker')
        assert row(browser, 'checkout')['rate'].startswith('100%')
        browser.run('window.stays = true')
        trip(plane, router)
        browser.wait(lambda: 'open' in row(browser, 'checkout')['state'],
                     'the open breaker')
        assert row(browser, 'checkout')['rate'].startswith('0%')
        assert browser.find('#said').attribute('aria-live') == 'polite'
        browser.wait(lambda: 'is now open' in browser.run(
            'return document.getElementById("said").textContent'), 'the word')
        browser.wait(lambda: any(
            'checkout' in text and 'crossed its threshold' in text
            for text in events(browser)), 'the entry in the log')
        browser.wait(lambda: browser.find('#count-open').text() == '2',
                     'the count')
        override(browser, 'recommendations', 'open')
        browser.wait(lambda: 'forced' in row(browser, 'recommendations')[
            'state'], 'the forced breaker')
        time.sleep(2.5)  # for the picture's sake: the highlight fades
        browser.screenshot(SHOTS / 'dashboard-light.png')
        assert browser.run('return window.stays') is True
        quiet(browser)


def override_works():
    """an override is followed by the plane and told to all; a release hands the
    breaker back"""
    with Plane(PROGRAM) as plane, Browser() as browser:
        plane.add_breaker('checkout', **LIVELY)
        sign_in(browser, plane)
        key = plane.env['TRIPSWITCH_API_KEY']
        status = f'/v1/projects/{plane.project}/status'
        browser.wait(lambda: browser.find_all('#rows button'), 'the button')
        override(browser, 'checkout', 'open')
        assert plane.ask('GET', status, key=key)[1]['open_count'] == 1
        browser.wait(lambda: 'open' in row(browser, 'checkout')['state'] and
                     'forced' in row(browser, 'checkout')['state'],
                     'the forced state')
        browser.wait(lambda: any('forced by an operator' in text
                                 for text in events(browser)), 'the log')
        override(browser, 'checkout', 'closed')
        browser.wait(lambda: 'closed' in row(browser, 'checkout')['state'],
                     'the closed breaker')
        assert plane.ask('GET', status, key=key)[1]['open_count'] == 0
        override(browser, 'checkout', 'release')
        browser.wait(lambda: 'forced' not in row(browser, 'checkout')['state'],
                     'the release')
        quiet(browser)


def keyboard_alone():
    """everything can be reached and done with the keyboard, the focus can be
    seen, and it goes back to where it was"""
    with Plane(PROGRAM) as plane, Browser() as browser:
        plane.add_breaker('checkout', **LIVELY)
        plane.add_breaker('search', **LIVELY)
        browser.open(plane.url + '/')
        browser.press(TAB)
        assert focused(browser, 'e.className') == 'skip'
        browser.press(TAB)
        assert focused(browser, 'e.id') == 'key'
        browser.press(*plane.admin_key, ENTER)
        browser.wait(lambda: len(browser.find_all('#rows tr')) == 2, 'rows')
        assert focused(browser, 'e.id') == 'main'
        browser.open(plane.url + '/')  # this tab has the key by now
        browser.wait(lambda: len(browser.find_all('#rows tr')) == 2, 'rows')
        seen = []
        while len(seen) < 20 and 'Override search' not in seen:
            browser.press(TAB)
            seen.append(focused(
                browser, 'e.id || e.dataset.filter || '
                'e.getAttribute("aria-label") || e.className'))
            assert focused(
                browser, 'getComputedStyle(e).outlineStyle') != 'none', seen
        assert seen == ['skip', 'project', 'leave', 'all', 'open', 'half_open',
                        'closed', 'find', 'Override checkout',
                        'Override search'], seen
        browser.press(ENTER)
        assert browser.find('#override').is_shown()
        assert focused(browser, 'e.value') == 'open'
        browser.press(ESCAPE)
        assert not browser.find('#override').is_shown()
        assert focused(browser, 'e.ariaLabel') == 'Override search'
        browser.press(ENTER)
        browser.press(DOWN)
        assert focused(browser, 'e.value') == 'closed'
        browser.press(SPACE, TAB, TAB)
        assert focused(browser, 'e.textContent') == 'Apply'
        browser.press(ENTER)
        browser.wait(lambda: 'forced' in row(browser, 'search')['state'],
                     'the forced breaker')
        quiet(browser)


def screen_readers():
    """landmarks, headings, tables and controls have the names and roles that a
    screen reader needs; no state is told by its colour alone"""
    with Plane(PROGRAM) as plane, Browser() as browser:
        plane.add_breaker('checkout', **LIVELY)
        browser.open(plane.url + '/')
        assert browser.find('#key').label() == 'Key'
        sign_in(browser, plane)
        browser.wait(lambda: browser.find_all('#rows tr'), 'rows')
        for selector, role, label in (
                ('header', 'banner', ''),
                ('main', 'main', ''),
                ('h1', 'heading', 'Tripswitch plane'),
                ('#breakers', 'table', 'Breakers'),
                ('#rows th', 'rowheader', None),
                ('#breakers thead th', 'columnheader', 'Breaker'),
                ('#project', 'combobox', 'Project'),
                ('#find', 'searchbox', 'Find'),
                ('#rows svg', 'image', None),
                ('#rows button', 'button', 'Override checkout'),
                ('.summary', 'group', 'Show breakers by state')):
            element = browser.find(selector)
            assert element.role() == role, (selector, element.role())
            if label is not None and label:
                assert element.label() == label, (selector, element.label())
        chart = browser.find('#rows svg').label()
        assert 'error rate' in chart and 'threshold 50%' in chart, chart
        assert browser.run('return document.documentElement.lang') == 'en'
        assert browser.find('#rows .state').text() != ''
        assert browser.find('[data-filter=open]').attribute(
            'aria-pressed') == 'false'
        browser.find('[data-filter=open]').click()
        assert browser.find('[data-filter=open]').attribute(
            'aria-pressed') == 'true'
        assert browser.find('#nothing').text() == 'No breaker fits.'
        quiet(browser)


def luminance(color):
    parts = [int(p) / 255 for p in re.findall(r'\d+', color)[:3]]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4
             for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def both_schemes():
    """in light and in dark, text stands out from its ground"""
    grounds = {}
    for scheme in 'light', 'dark':
        with Plane(PROGRAM) as plane, Browser(scheme=scheme) as browser:
            router = fill(plane)
            sign_in(browser, plane)
            browser.wait(lambda: len(browser.find_all('#rows tr')) == 4, 'rows')
            trip(plane, router)
            browser.wait(lambda: browser.find_all('#rows .state.open') and
                         browser.find_all('#rows .state.closed'), 'states')
            grounds[scheme] = browser.find('body').style('background-color')
            panel = browser.find('.panel').style('background-color')
            for selector in ('h1', '#rows th', '.sub', '#find', '.tile b'):
                text = browser.find(selector).style('color')
                assert contrast(text, panel) >= 4.5, (scheme, selector, text)
            for state in browser.find_all('.state'):
                assert contrast(state.style('color'),
                                state.style('background-color')) >= 4.5, scheme
            time.sleep(2.5)
            if scheme == 'dark':
                browser.screenshot(SHOTS / 'dashboard-dark.png')
            quiet(browser)
    assert luminance(grounds['dark']) < 0.05 < 0.8 < luminance(
        grounds['light']), grounds


def less_motion_and_small_screens():
    """who wants less motion gets none, and on a small screen nothing is cut"""
    with Plane(PROGRAM) as plane, \
            Browser(width=400, motion=False) as browser:
        plane.add_breaker('checkout', **LIVELY)
        sign_in(browser, plane)
        browser.wait(lambda: browser.find_all('#rows tr'), 'rows')
        assert browser.find('.dot').style('animation-name') == 'none'
        assert browser.run('return document.documentElement.scrollWidth '
                           '<= window.innerWidth')
        assert browser.find('#breakers').role() == 'table'
        browser.screenshot(SHOTS / 'dashboard-small.png')
        quiet(browser)


def keys_stay_secret():
    """the key is in no address and no page; a wrong one is refused with a word,
    a project's key shows its project and overrides nothing; signing out forgets
    it"""
    with Plane(PROGRAM) as plane, Browser() as browser:
        plane.add_breaker('checkout', **LIVELY)
        browser.open(plane.url + '/')
        browser.find('#key').type('eb_admin_wrong', ENTER)
        browser.wait(lambda: browser.find('#door-error').text(), 'the refusal')
        assert focused(browser, 'e.id') == 'key'
        quiet(browser, network=True)
        sign_in(browser, plane, plane.env['TRIPSWITCH_API_KEY'])
        browser.wait(lambda: browser.find_all('#rows tr'), 'rows')
        assert not browser.find('#rows button').is_shown()
        quiet(browser)
        browser.find('#leave').click()
        sign_in(browser, plane)
        browser.wait(lambda: browser.find_all('#rows tr'), 'rows')
        addresses = browser.run('return performance.getEntries()'
                                '.map(e => e.name).concat(location.href)')
        assert len(addresses) > 3, addresses
        assert not any('eb_' in address for address in addresses), addresses
        assert plane.admin_key not in browser.run(
            'return document.documentElement.outerHTML')
        browser.find('#leave').click()
        assert browser.find('#door').is_shown()
        assert browser.run('return JSON.stringify([{...sessionStorage}, '
                           '{...localStorage}, document.cookie])'
                           ) == '[{},{},""]'
        quiet(browser)


def only_text():
    """what breakers are called is text, whatever it says, and the policy lets
    nothing else in"""
    name = '<img src=x onerror="document.title=1">'
    with Plane(PROGRAM) as plane, Browser() as browser:
        plane.add_breaker(name, **LIVELY)
        sign_in(browser, plane)
        browser.wait(lambda: row(browser, name)['breaker'], 'the breaker')
        assert browser.find_all('img') == []
        quiet(browser)
        connection = plane.connect()
        connection.request('GET', '/')
        headers = connection.getresponse().headers
        policy = dict(part.split(' ', 1) for part in headers[
            'Content-Security-Policy'].split('; '))
        for name, value in (('default-src', "'none'"),
                            ('connect-src', "'self'"),
                            ('frame-ancestors', "'none'"),
                            ('base-uri', "'none'"),
                            ('form-action', "'none'")):
            assert policy[name] == value, policy
        assert re.fullmatch(r"'sha256-\S+'", policy['script-src'])
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert headers['Referrer-Policy'] == 'no-referrer'


def comes_back():
    """a lost plane is told, and found again when it is back"""
    with Browser() as browser:
        with Plane(PROGRAM) as plane:
            key = plane.env['TRIPSWITCH_API_KEY']
            port = plane.url.rsplit(':', 1)[1]
            sign_in(browser, plane)
            plane.end()
        browser.wait(lambda: 'lost' in live(browser), 'the loss')
        with Plane(PROGRAM, '--listen', f'127.0.0.1:{port}',
                   TRIPSWITCH_API_KEY=key) as plane:
            plane.add_breaker('checkout', **LIVELY)
            browser.wait(lambda: live(browser) == 'Live', 'the stream')
            browser.wait(lambda: row(browser, 'checkout')['state'], 'the row')
        quiet(browser, network=True)


SHOTS.mkdir(parents=True, exist_ok=True)
sys.exit(run_tests([lives_without_a_reload, override_works, keyboard_alone,
                    screen_readers, both_schemes,
                    less_motion_and_small_screens, keys_stay_secret, only_text,
                    comes_back]))
