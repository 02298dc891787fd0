"""One upload as a client has it: which bytes go where, what was heard of it so far, and how it is cut. The ways in which
bytes go (upload_http, upload_ftp, programs) get one of these and say how it ended.

A way is called with the offset from which it is to go on, 0 for anew, and comes back with one of

    confirmed   the server said that the file is there
    piece       the server took what was sent, and it was not all
    found       the server said that it was there already

or raises: Refused where the server said no, Broken where the connection ended, Cut where we ended it ourselves.
"""

import base64
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from .content import digest
from .places import Place
from .wire import Broken, Caller, Cut, basic
from .world import User


def watched(took):
    """For how many seconds at least a server watches whether the control connection outlives data that came for `took`
    seconds (ADR 017)."""
    fifth = 0 if took < 0.01 else min(took / 5, 0.05)
    return min(max(took / 20, fifth, 0.0001), 0.25)


class Refused(Exception):
    """The server said no; `status` is HTTP's or FTP's number."""

    def __init__(self, status, words=""):
        super().__init__(f"{status} {words}")
        self.status = status


@dataclass
class CutAt:
    """When and how a client hangs up: after so many bytes of this attempt."""
    after: int
    reset: bool
    wait: float

    def linger(self, _):
        time.sleep(self.wait)


@dataclass
class Upload:
    world: object
    journal: object
    rng: random.Random
    task: str
    place: Place
    user: User
    path: str
    version: int
    data: bytes
    folder: Path                       # this task's own, for programs
    ports: dict = field(default_factory=dict)
    stale: str | None = None           # the URL of what somebody left at this path before
    url: str | None = None             # of what we began
    sha: str = ""

    def __post_init__(self):
        self.sha = digest(self.data)

    @property
    def size(self):
        return len(self.data)

    @property
    def served(self):
        return self.user.served(self.path)

    @property
    def target(self):
        return quote(self.path)

    @property
    def local(self):
        """The content as a file, for programs."""
        local = self.folder / "content"
        if not local.exists():
            local.write_bytes(self.data)
        return local

    @property
    def authorization(self):
        return {"Authorization": basic(self.user.name, self.user.password)}

    def caller(self, told=None):
        return Caller(self.ports["http"], told)

    def request(self, method, target, fields=None, content=b"", body=None):
        """One request of its own with a short content, and its answer."""
        with self.caller() as caller:
            fields = {**self.authorization, **(fields or {})}
            if content or method in ("PUT", "POST", "PATCH"):
                fields["Content-Length"] = len(content)
            caller.begin(method, target, fields)
            if content:
                caller.send(content, 0)
            return caller.answer(empty=method == "HEAD", body=body)

    def pace(self, size):
        """Over how many seconds so many bytes go."""
        return self.rng.choice((0, 0.5, 2, 5)) * min(1, size / 50_000)

    # ---- What is heard ----

    def told(self, offset, by, asked):
        """The server told how far it is."""
        if offset is not None:
            self.journal.tell("told", task=self.task, user=self.user.name, path=self.served, version=self.version,
                              offset=offset, by=by, asked=asked, url=self.url)

    def ended_apart(self, seconds, took):
        """We went away as a killed client does, and between the ends of our connections there were up to so many seconds,
        after data that had come for `took`. Where a server watches for less, that was the end of a file."""
        if seconds >= watched(took):
            self.journal.tell("apart", task=self.task, path=self.served, version=self.version, size=self.size,
                              seconds=round(seconds, 6))

    def ask(self, ours=True):
        """Where the server is with what lies unfinished here: (offset, URL, seconds since the last byte), or None. What
        is not ours yet is no offset that we were told."""
        asked = self.journal.now()
        answer = self.request("GET", f"/-/uploads?path={quote(self.path, safe='')}")
        if answer.status != 200:
            raise Refused(answer.status, "to GET /-/uploads")
        found = [one for one in json.loads(answer.body) if unquote(one["path"]) == self.path]
        if not found:
            return None
        one = found[0]
        # Where others of the same name are at work it is ours only by the URL that we were told.
        if ours and not self.place.contested and one["url"] != self.stale:
            self.url = one["url"]
        if ours and one["url"] == self.url:
            self.told(one["offset"], "/-/uploads", asked)
        return one["offset"], one["url"], one["age"]

    def published(self):
        """The digest of the file that has the name now, as the server tells it; None where there is none."""
        for _ in range(20):
            op = self.journal.begin("read", task=self.task, path=self.served, user=self.user.name, way="digest")
            try:
                answer = self.request("HEAD", self.target, {"Want-Repr-Digest": "sha-256=1"})
            except Broken:
                self.journal.end(op, "broken")
                raise
            if answer.status == 404:
                self.journal.end(op, "absent")
                return None
            told = answer.head.get("repr-digest", "")
            if answer.status == 200 and told.startswith("sha-256=:"):
                sha = base64.b64decode(told[len("sha-256=:"):].split(":")[0]).hex()
                self.journal.end(op, "complete", sha=sha, size=int(answer.head.get("content-length", 0)))
                return sha
            self.journal.end(op, "refused", why=answer.status)
            if answer.status not in (200, 503):
                raise Refused(answer.status, "to HEAD")
            time.sleep(0.5)
        raise Refused(0, "no digest came")

    def front(self):
        """Has the server tell the digest of what is there of this upload."""
        answer = self.request("HEAD", self.url, {"Want-Repr-Digest": "sha-256=1"})
        offset, told = answer.number("upload-offset"), answer.head.get("repr-digest", "")
        if answer.status // 100 == 2 and offset is not None and told.startswith("sha-256=:"):
            sha = base64.b64decode(told[len("sha-256=:"):].split(":")[0]).hex()
            self.journal.tell("front", task=self.task, path=self.served, version=self.version, size=self.size,
                              offset=offset, sha=sha)


__all__ = ["Broken", "Cut", "CutAt", "Refused", "Upload"]
