# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven through chromedriver's own HTTP interface (W3C WebDriver)."""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 12: the key of a reference


def is_here():
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


def free_port():
    """One that is free for IPv4 and IPv6: chromedriver wants both."""
    with socket.socket(socket.AF_INET6) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", 0))
        return s.getsockname()[1]


class Browser:
    """One window. `prefs` are Chromium's preferences, `hosts` names that lead to 127.0.0.1."""

    def __init__(self, folder, prefs=None, hosts=()):
        self.log = open(folder / "chromedriver.log", "wb")
        self.port = None
        for _ in range(10):  # somebody may take the port before it does
            self.start_driver(folder)
            if self.port:
                break
        assert self.port, (folder / "chromedriver.log").read_text()
        self.path = ""
        args = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--window-size=900,1400",
                f"--user-data-dir={folder / 'profile'}"]
        if os.geteuid() == 0:
            args.append("--no-sandbox")
        if hosts:
            rules = ", ".join(f"MAP {name} 127.0.0.1" for name in hosts)
            args.append(f"--host-resolver-rules={rules}")
        options = {"args": args, "prefs": prefs or {}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}, "timeouts": {"script": 60000}}}})
        self.path = f"/session/{session['sessionId']}"

    def start_driver(self, folder):
        self.driver = subprocess.Popen(["chromedriver", f"--port={free_port()}"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=self.log, text=True,
                                       env={**os.environ, "HOME": str(folder)})
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.port = int(line.rstrip(".\n").rsplit(" ", 1)[1])
                return
        self.driver.wait(10)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(method, self.path + path,
                               None if method in ("GET", "DELETE") else json.dumps(body or {}))
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def find(self, css):
        return [e[ELEMENT] for e in self.call("POST", "/elements", {"using": "css selector",
                                                                    "value": css})]

    def one(self, css):
        [element] = self.find(css)
        return element

    def click(self, css):
        self.call("POST", f"/element/{self.one(css)}/click")

    def type(self, css, text):
        element = self.one(css)
        self.call("POST", f"/element/{element}/clear")
        self.call("POST", f"/element/{element}/value", {"text": text})

    def text(self, css):
        """What a person sees of it."""
        return self.call("GET", f"/element/{self.one(css)}/text")

    def texts(self, css):
        return [self.call("GET", f"/element/{e}/text") for e in self.find(css)]

    def value(self, css):
        return self.call("GET", f"/element/{self.one(css)}/property/value")

    def shown(self, css):
        return [e for e in self.find(css) if self.call("GET", f"/element/{e}/displayed")]

    def run(self, script, *args):
        """The value of a script's `return`; a promise is waited for."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def devtools(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def press(self, *keys):
        """Keys that go to whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def console(self):
        """What was written to the console since the last call."""
        return self.call("POST", "/se/log", {"type": "browser"})

    def wait(self, condition, seconds=20):
        until = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < until, "it never came true"
            time.sleep(0.05)
        return value

    def screenshot(self, path):
        """The whole page, at four fifths of its size."""
        width, height = self.run("return [document.documentElement.clientWidth, "
                                 "document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 0.8}
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        try:
            if self.path:
                self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()
            self.log.close()
