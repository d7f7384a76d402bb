"""A headless Chromium, spoken to over its debugging pipe: no driver, no port, no other package."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT = 60


def find():
    """The path of a Chromium, or None."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


# Puts the pipes where Chromium looks for them, and becomes it.
LAUNCH = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])"""


def pipe():
    """A pipe whose descriptors are neither 3 nor 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ends]
    for fd in ends:
        os.close(fd)
    return moved


class Failed(Exception):
    pass


class Browser:
    """One Chromium with one page."""

    def __init__(self, home):
        down_read, down_write = pipe()  # what we say, on its descriptor 3
        up_read, up_write = pipe()      # what it says, on its descriptor 4
        arguments = [find(), "--headless", "--remote-debugging-pipe", "--disable-gpu",
                     "--no-first-run", "--disable-background-networking", "--disable-sync",
                     "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--user-data-dir=%s" % home]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it refuses root otherwise
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(down_read), str(up_write)] + arguments,
            pass_fds=(down_read, up_write), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(down_read)
        os.close(up_write)
        self.down, self.up = down_write, up_read
        self.unread = b""
        self.last = 0
        self.session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Security"):
            self.call(domain + ".enable")

    def close(self):
        os.close(self.down)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.up)

    def _next(self, deadline):
        while b"\0" not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.up], [], [], left)[0]:
                raise Failed("chromium said nothing for %d s" % TIMEOUT)
            part = os.read(self.up, 1 << 20)
            if not part:
                raise Failed("chromium ended: status %s" % self.process.wait())
            self.unread += part
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        """Sends a command and returns its result; events that come meanwhile are kept."""
        self.last += 1
        command = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.down, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            message = self._next(deadline)
            if message.get("id") == self.last:
                if "error" in message:
                    raise Failed("%s: %s" % (method, message["error"]))
                return message["result"]
            self.events.append(message)

    def told(self, *methods):
        return [e["params"] for e in self.events if e.get("method") in methods]

    def load(self, url):
        """Loads the page and returns once all of it is there."""
        self.events = []
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + TIMEOUT
        while not self.told("Page.loadEventFired"):
            self.events.append(self._next(deadline))
        # What the page would do in its idle time.
        self.run("new Promise(r => requestAnimationFrame(() => setTimeout(r, 100)))")

    def run(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def look(self, width, dark=False, media=""):
        """What the page is to be looked at with."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self, path):
        data = self.call("Page.printToPDF", preferCSSPageSize=True, paperWidth=8.27,
                         paperHeight=11.69)["data"]
        path.write_bytes(base64.b64decode(data))
