"""Stands between a client and the throwaway PostgreSQL, and strikes at a chosen moment.

A moment is counted in what the client asks, not in time: it is the same on a slow machine. A
request is what the server has to answer before the client goes on: a statement, the end of a
COPY, the beginning of a connection, its end. There are no threads: who waits for the client
forwards, in watch().
"""

import os
import select
import shutil
import socket
import struct
import tempfile
import time

import pg

# where the client's request is when it is struck
BEFORE = "before"  # the server has heard nothing of it
WITHIN = "within"  # it has heard a half
ANSWERED = "answered"  # it has done it, the client does not know
AFTER = "after"  # the client knows
LATER = "later"  # and goes on for a while, until it asks for more
PLACES = (BEFORE, WITHIN, ANSWERED, AFTER, LATER)

REQUEST, COMMIT = "request", "COMMIT"
_ENDS_REQUEST = b"QScfX"
_CANCEL = 80877102
_PIECE = 65536
_PATIENCE = 60


class Moment:
    """The number-th request, or COMMIT, from 1 on, and where it is then."""

    def __init__(self, what, number, place, linger=0.0):
        self.what = what
        self.number = number
        self.place = place
        self.linger = linger  # s; of LATER alone

    def __repr__(self):
        return "%s %d, %s" % (self.what, self.number, self.place)


class _Pair:
    """One connection, in both directions."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        self.unread = b""  # of the client, not a whole message yet
        self.request = b""  # whole messages that do not end a request yet
        self.began = False
        self.cancels = False

    def messages(self):
        """Takes the client's whole messages out: (type or None, bytes)."""
        while True:
            head = 1 if self.began else 0
            if len(self.unread) < head + 4:
                return
            size = head + struct.unpack_from("!I", self.unread, head)[0]
            if len(self.unread) < size:
                return
            message, self.unread = self.unread[:size], self.unread[size:]
            if not self.began:
                self.began = True
                self.cancels = size >= 8 and struct.unpack_from("!I", message, 4)[0] == _CANCEL
            yield (message[:1] if head else None), message


class Proxy:
    """with Proxy(server) as p: clients of database(...) pass through it while watch() runs."""

    def __init__(self, server):
        self.target = server
        self.home = tempfile.mkdtemp(prefix="px-", dir="/tmp")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.home, ".s.PGSQL.5432"))
        self.listener.listen(8)
        self.pairs = []
        self.seen = {REQUEST: 0, COMMIT: 0}
        self.moment = self.strike = self.struck = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.listener.close()
        shutil.rmtree(self.home)

    def database(self, name, variant):
        """A database of the server; whoever connects to it passes through here."""
        return pg.Database(self, name, variant)

    def watch(self, child, moment=None, strike=None):
        """Forwards until the process has ended. At the moment strike() is called, which says
        whether the request still goes its way. self.struck is then the request, None if the
        moment never came; self.seen is how many there were."""
        self.seen = dict.fromkeys(self.seen, 0)
        self.moment, self.strike, self.struck = moment, strike, None
        deadline = time.monotonic() + _PATIENCE
        while child.poll() is None:
            assert time.monotonic() < deadline, "the process does not end"
            self._forward(0.05)
        while self.pairs and time.monotonic() < deadline:
            self._forward(0.05)
        self.cut()

    def cut(self):
        """Every connection breaks."""
        for pair in list(self.pairs):
            self._close(pair)

    # ---- forwarding ----

    def _forward(self, seconds):
        of = {s: pair for pair in self.pairs for s in (pair.client, pair.server)}
        ready, _, _ = select.select([self.listener] + list(of), [], [], seconds)
        for s in ready:
            if s is self.listener:
                self._accept()
            elif of[s] in self.pairs:
                (self._from_client if s is of[s].client else self._from_server)(of[s])

    def _accept(self):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.target.home / ".s.PGSQL.5432"))
        except OSError:  # there is none any more
            client.close()
            server.close()
            return
        self.pairs.append(_Pair(client, server))

    def _close(self, pair):
        if pair in self.pairs:
            self.pairs.remove(pair)
            pair.client.close()
            pair.server.close()

    def _receive(self, pair, s):
        try:
            data = s.recv(_PIECE)
        except OSError:
            data = b""
        if not data:
            self._close(pair)
        return data

    def _send(self, pair, s, data):
        """False: it can no longer be sent. What the other end has still to say may come."""
        if pair not in self.pairs:
            return False
        try:
            s.sendall(data)
        except OSError:
            return False
        return True

    def _from_server(self, pair):
        data = self._receive(pair, pair.server)
        if data and not self._send(pair, pair.client, data):
            self._close(pair)

    def _from_client(self, pair):
        pair.unread += self._receive(pair, pair.client)
        for kind, message in pair.messages():
            pair.request += message
            if pair.cancels or kind is None or kind in _ENDS_REQUEST:
                request, pair.request = pair.request, b""
                self._handle(pair, request)

    def _handle(self, pair, request):
        if not pair.cancels:
            commits = request == b"Q\0\0\0\x0bCOMMIT\0"
            self.seen[REQUEST] += 1
            self.seen[COMMIT] += commits
            m = self.moment
            if m and not self.struck and self.seen[m.what] == m.number and (
                    commits or m.what == REQUEST):
                self.struck = request
                self._strike(pair, request)
                return
        self._send(pair, pair.server, request)

    # ---- striking ----

    def _await_server(self, pair):
        """Waits until the server has something to say, or has gone."""
        select.select([pair.server], [], [], _PATIENCE)

    def _strike(self, pair, request):
        place, half = self.moment.place, len(request) // 2
        if place == WITHIN:
            self._send(pair, pair.server, request[:half])
            request = request[half:]
        elif place != BEFORE:
            self._send(pair, pair.server, request)
            self._await_server(pair)
            request = b""
        if place in (AFTER, LATER):
            self._from_server(pair)
        if place == LATER:
            time.sleep(self.moment.linger)
        if self.strike() and request:
            self._send(pair, pair.server, request)
