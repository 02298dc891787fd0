"""HTTP/1.1 as bytes on a socket: for clients that send their content slowly, hear interim answers while they do, and
hang up in the middle of a word. Knows of no dialect.
"""

import base64
import select
import socket
import struct
import time
from dataclasses import dataclass, field

PATIENCE = 40
CHUNK = 32 << 10


class Broken(Exception):
    """The connection ended, or nothing came for too long."""


class Cut(Exception):
    """We hung up ourselves, as it was meant."""


@dataclass
class Answer:
    status: int
    head: dict
    body: bytes = b""
    interim: list = field(default_factory=list)

    def number(self, name):
        value = self.head.get(name)
        return int(value) if value is not None and value.isdigit() else None


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def reset(stream):
    """Ends a connection as a dead machine does."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


class Caller:
    """One connection for one or several requests, one after the other."""

    def __init__(self, port, told=None):
        try:
            self.stream = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError as error:
            raise Broken(str(error)) from error
        self.buffer = b""
        self.head = None  # of the final answer, also where its body does not come
        self.told = told or (lambda answer: None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def begin(self, method, target, fields):
        told = (f"{name}: {value}" for name, value in fields.items())
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *told]
        self._write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def _write(self, data):
        try:
            self.stream.sendall(data)
        except OSError as error:
            raise Broken(str(error)) from error

    def send(self, data, seconds, cut=None):
        """Sends content over so many seconds; hangs up after `cut` bytes of it by what `cut` says. Returns early when
        an answer comes before the end."""
        upto = len(data) if cut is None else min(cut.after, len(data))
        chunks = range(0, upto, CHUNK)
        pause = seconds / max(1, len(chunks))
        for at in chunks:
            try:
                self.stream.sendall(data[at:min(at + CHUNK, upto)])
            except OSError:
                return  # perhaps there is an answer still
            if self._answered(pause):
                return
        if cut is not None:
            cut.linger(self)
            reset(self.stream) if cut.reset else self.stream.close()
            raise Cut

    def _answered(self, pause):
        """Waits a moment for a final answer; interim ones are told."""
        until = time.monotonic() + pause
        while True:
            ready, _, _ = select.select([self.stream], [], [], max(0, until - time.monotonic()))
            if not ready:
                return False
            status = self._peek()
            if status is None or status >= 200:
                return True
            self._interim()

    def _peek(self):
        """The status of the next answer; None where the connection has ended."""
        while b"\r\n\r\n" not in self.buffer:
            try:
                piece = self.stream.recv(65536)
            except OSError:
                return None
            if not piece:
                return None
            self.buffer += piece
        return int(self.buffer.split(b" ", 2)[1])

    def _interim(self):
        answer = self._head()
        self.told(answer)
        return answer

    def hear_interim(self):
        """The next interim answer, or None where a final one comes."""
        status = self._peek()
        if status is None:
            raise Broken("no answer")
        return self._interim() if status < 200 else None

    def _head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(":", 1) for line in lines)
        return Answer(int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, value in fields.items()})

    def _more(self):
        try:
            piece = self.stream.recv(1 << 18)
        except OSError as error:
            raise Broken(str(error)) from error
        if not piece:
            raise Broken("the connection ended")
        self.buffer += piece

    def answer(self, empty=False, body=None):
        """The final answer; interim ones before it are told. `body` gets the body piece by piece, where it is given."""
        answer = self._head()
        while answer.status < 200:
            self.told(answer)
            answer = self._head()
        self.head = answer
        if empty or answer.status in (204, 304):
            return answer
        pieces = []
        take = body or pieces.append
        if answer.head.get("transfer-encoding") == "chunked":
            self._chunked(take)
        else:
            self._counted(int(answer.head.get("content-length", 0)), take)
        answer.body = b"".join(pieces)
        return answer

    def _counted(self, need, take):
        while need:
            if not self.buffer:
                self._more()
            piece, self.buffer = self.buffer[:need], self.buffer[need:]
            need -= len(piece)
            take(piece)

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _chunked(self, take):
        while length := int(self._line().split(b";")[0], 16):
            self._counted(length, take)
            self._line()
        while self._line():
            pass
