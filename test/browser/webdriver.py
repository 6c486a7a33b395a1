# SPDX-License-Identifier: Apache-2.0
"""A browser, driven over WebDriver (W3C) with nothing but HTTP and JSON.

    with Browser(scheme='dark') as browser:
        browser.open(url)
        browser.find('#key').type('eb_admin_...', ENTER)
        browser.wait(lambda: browser.find('#board').is_shown(), 'the board')
"""

import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ENTER, TAB, ESCAPE, SPACE = '\ue007', '\ue004', '\ue00c', '\ue00d'
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
LIMIT_S = 60


class DriverError(Exception):
    pass


class Element:
    def __init__(self, browser, id):
        self.browser, self.id = browser, id

    def ask(self, method, path, **body):
        return self.browser.ask(method, f'/element/{self.id}/{path}', **body)

    def click(self):
        self.ask('POST', 'click')

    def type(self, *texts):
        self.ask('POST', 'value', text=''.join(texts))

    def text(self):
        return self.ask('GET', 'text')

    def is_shown(self):
        return self.ask('GET', 'displayed')

    def attribute(self, name):
        return self.ask('GET', f'attribute/{name}')

    def style(self, name):
        return self.ask('GET', f'css/{name}')

    # As a screen reader is told.
    def role(self):
        return self.ask('GET', 'computedrole')

    def label(self):
        return self.ask('GET', 'computedlabel')


class Browser:
    def __init__(self, scheme='light', width=1280, height=900, motion=True):
        programs = [shutil.which(name) for name in ('chromium', 'chromedriver')]
        if None in programs:
            sys.exit('Bail out! chromium and chromedriver must be installed '
                     '(Debian: chromium chromium-driver)')
        self.profile = tempfile.TemporaryDirectory(prefix='tripswitch-browser-',
                                                   ignore_cleanup_errors=True)
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        self.base = f'http://127.0.0.1:{port}'
        self.driver = subprocess.Popen(
            [programs[1], f'--port={port}', '--log-level=SEVERE'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.session = None
        try:
            self.begin(programs[0], scheme, width, height, motion)
        except BaseException:
            self.close()
            raise

    def begin(self, chromium, scheme, width, height, motion):
        arguments = ['--headless=new', '--no-sandbox', '--disable-gpu',
                     '--disable-dev-shm-usage', '--no-first-run',
                     '--disable-background-networking', '--lang=en-US',
                     '--proxy-server=direct://',
                     f'--user-data-dir={self.profile.name}']
        if not motion:
            arguments.append('--force-prefers-reduced-motion')
        wanted = {'browserName': 'chrome',
                  'goog:chromeOptions': {'binary': chromium,
                                         'args': arguments},
                  'goog:loggingPrefs': {'browser': 'ALL'}}
        self.wait(self.is_up, 'chromedriver')
        self.session = self.request('POST', '/session', {
            'capabilities': {'alwaysMatch': wanted}})['sessionId']
        self.command('Emulation.setDeviceMetricsOverride', width=width,
                     height=height, deviceScaleFactor=1, mobile=False)
        self.command('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': scheme}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            try:
                self.ask('DELETE', '')
            except (DriverError, OSError):
                pass
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()

    # ------------------------------------------------------------- requests

    def request(self, method, path, body=None):
        data = None if method in ('GET', 'DELETE') else json.dumps(
            body or {}).encode()
        request = urllib.request.Request(
            self.base + path, data, {'Content-Type': 'application/json'},
            method=method)
        try:
            with OPENER.open(request, timeout=LIMIT_S) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            value = json.load(error)['value']
            raise DriverError(f'{value["error"]}: '
                              f'{value["message"].splitlines()[0]}') from None

    def ask(self, method, path, **body):
        return self.request(method, f'/session/{self.session}{path}', body)

    def is_up(self):
        try:
            return self.request('GET', '/status')['ready']
        except OSError:
            return False

    def command(self, name, **parameters):
        return self.ask('POST', '/goog/cdp/execute', cmd=name,
                        params=parameters)

    # ------------------------------------------------------------- the page

    def open(self, url):
        self.ask('POST', '/url', url=url)

    def find(self, selector):
        found = self.ask('POST', '/element', using='css selector',
                         value=selector)
        return Element(self, found[ELEMENT])

    def find_all(self, selector):
        return [Element(self, found[ELEMENT]) for found in self.ask(
            'POST', '/elements', using='css selector', value=selector)]

    def run(self, script, *arguments):
        return self.ask('POST', '/execute/sync', script=script,
                        args=list(arguments))

    def press(self, *keys):
        """To whatever has the focus."""
        steps = [{'type': kind, 'value': key} for key in keys
                 for kind in ('keyDown', 'keyUp')]
        self.ask('POST', '/actions', actions=[
            {'type': 'key', 'id': 'keyboard', 'actions': steps}])

    def console(self):
        """What the browser's console has said since the last time."""
        return self.ask('POST', '/se/log', type='browser')

    def screenshot(self, path):
        size = self.run('return document.documentElement.scrollHeight')
        shot = self.command('Page.captureScreenshot',
                            captureBeyondViewport=True, clip={
                                'x': 0, 'y': 0, 'width': self.run(
                                    'return window.innerWidth'),
                                'height': max(size, 400), 'scale': 1})
        with open(path, 'wb') as file:
            file.write(base64.b64decode(shot['data']))

    def wait(self, condition, what):
        """Until it holds; elements may come and go meanwhile."""
        end = time.monotonic() + LIMIT_S
        last = None
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except DriverError as error:
                last = error
            time.sleep(0.05)
        raise AssertionError(f'{what} did not come'
                             + (f' ({last})' if last else ''))


# No proxy of the environment's stands between a test and this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
