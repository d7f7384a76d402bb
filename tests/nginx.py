"""A real nginx on loopback with the capture of cron/nginx, an application behind it, and logrotate.

nginx runs in the foreground as an unprivileged user, in a directory of its own that goes with it.
The files of cron/ are used as they are but for the paths and names that belong to a system.
"""

import ctypes
import glob
import grp
import gzip
import http.client
import http.server
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

import tool

CRON = tool.ROOT / "cron"
LOG_DIRECTORY = "/var/log/webhooks"
LOG = LOG_DIRECTORY + "/webhooks.jsonl"
PR_SET_PDEATHSIG = 1

CONF = """\
daemon off;
worker_processes 2;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log notice;
events { worker_connections 256; }
http {
    access_log %(dir)s/access.log;
    client_body_temp_path %(dir)s/bodies;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
    include %(dir)s/webhook-capture.conf;
    server {
        listen 127.0.0.1:%(port)d;
        error_page 500 502 503 504 /50x.html;
        location = /50x.html { return 200 "sorry"; }
        location / { return 204; }
        location /webhooks/ {
            include %(dir)s/webhook-capture-location.conf;
            proxy_pass http://127.0.0.1:%(app)d;
        }
    }
}
"""


def user():
    """Who nginx runs as: nobody where the tests run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def substituted(path, *changes):
    """A file of cron/ with each (old, new) put in, which has to be there."""
    text = path.read_text()
    for old, new in changes:
        assert old in text, "%s does not hold %r" % (path, old)
        text = text.replace(old, new)
    return text


class Application:
    """What nginx hands webhooks to; it remembers the bodies and answers `status` after `delay`."""

    def __init__(self):
        self.port = free_port()
        self.status = 200
        self.delay = 0.0
        self.bodies = []
        self.server = None

    def start(self):
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                app.bodies.append(body)
                time.sleep(app.delay)
                self.send_response(app.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


def _child(pw):
    def prepare():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(pw.pw_gid)
            os.setuid(pw.pw_uid)
        # nginx gets a short write, not a signal, where a limit is reached
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.umask(0o022)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return prepare


class Nginx:
    """The capture: `logs` is its directory of archives, `log` the file being written."""

    def __init__(self, directory, app):
        self.dir = directory
        self.app = app
        self.user = user()
        self.logs = directory / "webhooks"
        self.log = self.logs / "webhooks.jsonl"
        self.rotation = directory / "logrotate.conf"
        self.rotated = 0
        self.process = None
        self.port = None

    def start(self):
        self.logs.mkdir(mode=0o750)
        (self.dir / "webhook-capture.conf").write_text(
            (CRON / "nginx" / "webhook-capture.conf").read_text())
        (self.dir / "webhook-capture-location.conf").write_text(substituted(
            CRON / "nginx" / "webhook-capture-location.conf", (LOG, str(self.log))))
        names = "%s %s" % (self.user.pw_name, grp.getgrgid(self.user.pw_gid).gr_name)
        self.rotation.write_text(substituted(
            CRON / "webhook-capture.logrotate", (LOG, str(self.log)),
            ("www-data reconcile", names), ("/run/nginx.pid", str(self.dir / "nginx.pid"))))
        if os.geteuid() == 0:
            for path in (self.dir, self.logs):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        for _ in range(5):
            self.port = free_port()
            (self.dir / "nginx.conf").write_text(
                CONF % {"dir": self.dir, "port": self.port, "app": self.app.port})
            self.process = subprocess.Popen(
                [tool.program("nginx"), "-p", str(self.dir), "-e", str(self.dir / "error.log"),
                 "-c", str(self.dir / "nginx.conf")],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                cwd="/", preexec_fn=_child(self.user))
            if self._answers():
                return self
        raise AssertionError("nginx does not start: %s%s" % (
            self.process.stdout.read().decode(), self.errors()))

    def _answers(self):
        for _ in range(200):
            if self.process.poll() is not None:
                return False
            try:
                return self.get("/") == 204
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.process.stdout.close()

    def errors(self):
        path = self.dir / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path):
        connection = self.connect()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def post(self, body, chunked=False, path="/webhooks/evolution", connection=None):
        """Posts a body and returns the status of the answer."""
        own = connection is None
        connection = connection or self.connect()
        try:
            headers = {"Content-Type": "application/json"}
            if chunked:
                pieces = (body[at:at + 5000] for at in range(0, len(body), 5000))
                connection.request("POST", path, body=pieces, headers=headers, encode_chunked=True)
            else:
                connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            if own:
                connection.close()

    def run_as_user(self, command):
        """Runs a command as nginx's own user, as only that one may change its limits."""
        subprocess.run(command, check=True, cwd="/", preexec_fn=_child(self.user))

    def workers(self):
        children = pathlib.Path("/proc/%d/task/%d/children" % ((self.process.pid,) * 2)).read_text()
        return [int(pid) for pid in children.split()]

    def settle(self, lines):
        """nginx logs after it has answered: waits for that many records, the last one whole."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if len(self.records()) >= lines and self.log.read_bytes()[-1:] in (b"", b"\n"):
                break
            time.sleep(0.01)
        return self.records()

    def records(self):
        """What was captured, in the order of the archives' names; bytes that are no UTF-8 survive."""
        found = []
        for path in sorted(self.logs.iterdir()):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # rotated meanwhile
                continue
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            for line in data.split(b"\n"):
                if line:
                    try:
                        found.append(json.loads(line.decode("utf-8", "surrogateescape")))
                    except ValueError:
                        found.append(line)
        return found

    def bodies(self):
        return [r["request_body"].encode("utf-8", "surrogateescape") for r in self.records()]

    def logrotate(self, *options):
        done = subprocess.run(
            [tool.program("logrotate"), "-s", str(self.dir / "logrotate.state"), *options,
             str(self.rotation)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, cwd="/")
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def rotate(self):
        """Rotates now, and waits until nginx writes to the new file."""
        # the names tell seconds apart (and logrotate's clock is a tick behind); an empty file stays
        while time.time() < self.rotated + 1.05 or self.log.stat().st_size == 0:
            time.sleep(0.02)
        status, said = self.logrotate("-f")
        self.rotated = int(time.time())
        assert status == 0, said
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if all(self._writes_to_current(pid) for pid in self.workers()):
                return
            time.sleep(0.01)
        raise AssertionError("nginx did not reopen its log: %s" % self.errors())

    def _writes_to_current(self, pid):
        for link in glob.glob("/proc/%d/fd/*" % pid):
            try:
                if os.readlink(link) == str(self.log):
                    return True
            except FileNotFoundError:  # closed meanwhile
                pass
        return False

    def archives(self):
        return [p for p in self.logs.iterdir() if re.search(r"-\d{8}-\d{6}\.jsonl(\.gz)?$", p.name)]
