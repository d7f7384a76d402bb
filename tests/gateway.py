"""Runs the stub of Evolution's API (tests/stub/evolution.py) and makes what it has stored."""

import csv
import json
import pathlib
import random
import signal
import subprocess
import sys
import time

STUB = pathlib.Path(__file__).resolve().parent / "stub" / "evolution.py"
KEY = "B6D711FC-DE4D-4FD5-9365-44120E713976"


class Message:
    """A message that Evolution knows: when it was sent, and (status, milliseconds) of its updates."""

    def __init__(self, instance, id, timestamp, updates=(), from_me=True):
        self.instance = instance
        self.id = id
        self.timestamp = timestamp
        self.updates = list(updates)
        self.from_me = from_me


def messages(instance, count, start, seed=1, every=7):
    """`count` messages sent `every` seconds from `start` on, each with some of its updates."""
    rng = random.Random("%s %d %d" % (instance, count, seed))
    for n in range(count):
        at = start + n * every
        steps = ["SERVER_ACK", "DELIVERY_ACK", "READ", "PLAYED"][:rng.randrange(5)]
        if rng.random() < 0.05:
            steps = ["ERROR"]
        yield Message(instance, "3EB0%016X" % rng.getrandbits(64), at,
                      [(s, (at + 5 + 60 * i) * 1000 + rng.randrange(1000))
                       for i, s in enumerate(steps)])


def write_state(path, stored, instances=()):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerows([name] for name in instances)
        for m in stored:
            out.writerow([m.instance, m.id, m.timestamp, int(m.from_me),
                          " ".join("%s@%d" % u for u in m.updates)])


class Gateway:
    """One stub server: `with Gateway(directory, stored, version="2.3") as g: ... g.url`."""

    def __init__(self, directory, stored, instances=(), faults=(), version="2.3", key=KEY,
                 tls=None, options=(), seed=1):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.scheme = "https" if tls else "http"
        self._log = directory / "log.json"
        self._port = directory / "port"
        self._said = directory / "stderr"
        write_state(directory / "state.csv", stored, instances)
        (directory / "faults.json").write_text(json.dumps(list(faults)))
        self._command = [sys.executable, str(STUB), "--version", version, "--key", key,
                         "--state", str(directory / "state.csv"), "--log", str(self._log),
                         "--faults", str(directory / "faults.json"), "--seed", str(seed),
                         "--port-file", str(self._port)] + list(options)
        if tls:
            self._command += ["--tls"] + [str(f) for f in tls]

    def __enter__(self):
        for old in (self._log, self._port):
            if old.exists():
                old.unlink()
        with open(self._said, "wb") as said:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stderr=said)
        until = time.monotonic() + 60
        while not self._port.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError("the stub did not start: " + self._said.read_text())
            time.sleep(0.01)
        self.port = int(self._port.read_text())
        self.url = "%s://127.0.0.1:%d" % (self.scheme, self.port)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the server; its log is there from now on."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.log = json.loads(self._log.read_text()) if self._log.exists() else None


def certificate(directory, name="127.0.0.1"):
    """Makes a self-signed certificate for this machine; returns its file and its key's."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=stub", "-addext", "subjectAltName=IP:%s" % name,
                    "-keyout", str(key), "-out", str(cert)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key
