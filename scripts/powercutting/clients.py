"""Who sends to a server whose power is about to go: each a thread with paths of its own, that notes in the story what it
begins, what it was told and what was confirmed, until its connection ends.
"""

import base64
import ftplib
import json
import random
import threading
import time

from soaking.wire import Broken, Caller, basic

from .story import FOLDER

USER, PASSWORD = "ann", "secret"
KIB = 1 << 10
PIECE, PAUSE = 16 * KIB, 0.2
LOGIN = {"Authorization": basic(USER, PASSWORD)}
TUS = {"Tus-Resumable": "1.0.0"}
DRAFT = {"Upload-Draft-Interop-Version": "8"}


class Refused(Exception):
    """The server said what it should not have said."""


def asks(caller, method, target, fields=(), content=b""):
    caller.begin(method, target, {**LOGIN, "Content-Length": len(content), **dict(fields)})
    caller.send(content, 0)
    return caller.answer(method == "HEAD")


def expects(answer, *wanted):
    if answer.status not in wanted:
        raise Refused(f"{answer.status} {answer.body[:200]!r}")
    return answer


class Client(threading.Thread):
    """One that does its `round` again and again."""

    def __init__(self, number, story, ports, seed):
        super().__init__(daemon=True)
        self.name = f"{type(self).__name__.lower()}{number}"
        self.story, self.ports, self.rng = story, ports, random.Random(f"{seed} {self.name}")
        self.fault, self.rounds, self.stopping = None, 0, False

    def run(self):
        try:
            while not self.stopping:
                self.round(f"/{self.name}-{self.rng.randint(0, 3)}")
                self.rounds += 1
        except (Broken, OSError, EOFError):
            if not self.stopping:
                self.fault = "its connection ended"
        except (Refused, ftplib.Error, AssertionError, KeyError) as error:
            self.fault = repr(error)

    def fresh(self, least, most):
        data = self.rng.randbytes(self.rng.randint(least, most))
        return data, self.story.content(data)

    def caller(self, told=None):
        return Caller(self.ports["http"], told)

    def ftp(self):
        ftp = ftplib.FTP(timeout=60)
        ftp.connect("127.0.0.1", self.ports["ftp"])
        ftp.login(USER, PASSWORD)
        ftp.voidcmd("TYPE I")
        return ftp


class Put(Client):
    """Whole files, each of which replaces the one before."""

    def round(self, path):
        with self.caller() as caller:
            for _ in range(5):
                data, digest = self.fresh(1, 200 * KIB)
                self.story.begins(self.name, {path: digest})
                expects(asks(caller, "PUT", path, (), data), 200, 201, 204)
                self.story.done(self.name)


class Pieces(Client):
    """A file in pieces by PUT with Content-Range."""

    def round(self, path):
        data, digest = self.fresh(100 * KIB, 600 * KIB)
        at, size = 0, len(data)
        # From here on the one that is begun may take the place of an unfinished one.
        self.story.begins(self.name, {path: digest})
        with self.caller() as caller:
            while at < size:
                upto = min(size, at + self.rng.randint(1, 100 * KIB))
                fields = {"Content-Range": f"bytes {at}-{upto - 1}/{size}"}
                answer = expects(asks(caller, "PUT", path, fields, data[at:upto]), 308, 200, 201, 204)
                if answer.status == 308:
                    self.story.told(path, int(answer.head["range"].rsplit("-", 1)[1]) + 1, digest)
                at = upto
        self.story.done(self.name)


class Tus(Client):
    """A file by the PATCHes of tus."""

    def round(self, path):
        data, digest = self.fresh(100 * KIB, 600 * KIB)
        self.story.begins(self.name, {path: digest})
        with self.caller() as caller:
            name = base64.b64encode(path[1:].encode()).decode()
            fields = {**TUS, "Upload-Length": len(data), "Upload-Metadata": f"filename {name}"}
            url = expects(asks(caller, "POST", "/-/tus", fields), 201).head["location"]
            self.story.named(path, url, len(data), digest)
            at = 0
            while at < len(data):
                piece = data[at:at + self.rng.randint(1, 100 * KIB)]
                fields = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": at}
                at = expects(asks(caller, "PATCH", url, fields, piece), 204).number("upload-offset")
                if at < len(data):
                    self.story.told(path, at, digest)
        self.story.done(self.name)


class Draft(Client):
    """One long request of the IETF's draft, that hears 104 in between."""

    def round(self, path):
        data, digest = self.fresh(600 * KIB, 1200 * KIB)
        self.story.begins(self.name, {path: digest})

        def told(interim):
            if offset := interim.number("upload-offset"):
                self.story.told(path, offset, digest)
        with self.caller(told) as caller:
            caller.begin("PUT", path, {**LOGIN, **DRAFT, "Upload-Complete": "?1", "Content-Length": len(data)})
            caller.send(data, len(data) / PIECE * PAUSE)
            expects(caller.answer(), 200, 201, 204)
        self.story.done(self.name)


class Stor(Client):
    """A file over FTP that is cut off, asked for by SIZE and gone on with."""

    def round(self, path):
        data, digest = self.fresh(200 * KIB, 800 * KIB)
        self.story.begins(self.name, {path: digest})
        ftp = self.ftp()
        ftp.voidcmd(f"ALLO {len(data)}")
        stream = ftp.transfercmd(f"STOR {path}")
        upto = len(data) * self.rng.randint(1, 9) // 10
        for at in range(0, upto, PIECE):
            stream.sendall(data[at:min(upto, at + PIECE)])
            time.sleep(PAUSE / 4)
        ftp.close()
        stream.close()
        ftp = self.ftp()
        deadline = time.monotonic() + 20
        while True:
            # The bytes are on their way through the machine's own network until the server has seen the end.
            try:
                at = ftp.size(path)
                break
            except ftplib.error_reply:
                raise
            except ftplib.Error as error:
                if time.monotonic() > deadline:
                    raise Refused(f"SIZE: {error}") from error
                time.sleep(0.2)
        self.story.told(path, at, digest)
        stream = ftp.transfercmd(f"STOR {path}", at)
        stream.sendall(data[at:])
        stream.close()
        ftp.voidresp()
        ftp.close()
        self.story.done(self.name)


class Names(Client):
    """Folders made and removed, files sent, renamed and removed, over FTP."""

    def change(self, change, act):
        self.story.begins(self.name, change)
        act()
        self.story.done(self.name)

    def round(self, path):
        ftp = self.ftp()
        while not self.stopping:
            data, digest = self.fresh(1, 50 * KIB)
            file, other = f"{path}/a", f"{path}/b"
            self.change({path: FOLDER}, lambda: ftp.mkd(path))
            self.change({file: digest}, lambda: self.store(ftp, file, data))
            self.change({file: None, other: digest}, lambda: ftp.rename(file, other))
            if self.rng.random() < 0.3:
                self.change({path: None, other: None, f"{path}-x": FOLDER, f"{path}-x/b": digest},
                            lambda: ftp.rename(path, f"{path}-x"))
                self.change({path: FOLDER, other: digest, f"{path}-x": None, f"{path}-x/b": None},
                            lambda: ftp.rename(f"{path}-x", path))
            self.change({other: None}, lambda: ftp.delete(other))
            self.change({path: None}, lambda: ftp.rmd(path))

    def store(self, ftp, path, data):
        stream = ftp.transfercmd(f"STOR {path}")
        stream.sendall(data)
        stream.close()
        ftp.voidresp()


KINDS = (Put, Pieces, Tus, Draft, Stor, Names)


def unfinished(ports, path):
    """What the server has of an upload to this path: its URL and offset, and the bytes; or nothing."""
    with Caller(ports["http"]) as caller:
        found = json.loads(expects(asks(caller, "GET", f"/-/uploads?path={path}"), 200).body)
    if not found:
        return None
    with Caller(ports["http"]) as caller:
        body = expects(asks(caller, "GET", found[0]["url"]), 200).body
    return found[0]["offset"], body


def is_complete(ports, url, size):
    """Whether the server says so of an upload of this size."""
    with Caller(ports["http"]) as caller:
        answer = expects(asks(caller, "HEAD", url, TUS), 200, 404, 410)
    return answer.status == 200 and answer.number("upload-offset") == size


def finishes(ports, path, at, data):
    """Goes on with it to its end, as any client may."""
    with Caller(ports["http"]) as caller:
        fields = {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"}
        expects(asks(caller, "PUT", path, fields, data[at:]), 200, 201, 204)
    with Caller(ports["http"]) as caller:
        return expects(asks(caller, "GET", path), 200).body == data
