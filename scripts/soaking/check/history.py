"""A journal as things that began and ended, in the order of time.

Words of the journal, each a line with `t` (seconds) and `e`:

    version   path, version, size, sha: what a client is about to send
    write     a client begins to send it (op, task, user, path, version, size, sha, way, at: from which byte, 0 is anew)
    read      a client begins to fetch what is there (op, path, way)
    remove, rename (path, to), drop (of what is unfinished: user, path)
    end       of one of these: op, result (confirmed, complete with sha, absent; all else is not known to have happened)
    told      the server told how much it has (user, path, version, offset, url, by; asked: when it was asked)
    apart     a client over FTP that told no size went away, and what it had open was not closed at once (path, version,
              size, seconds)
    gone      a client found nothing of what it had begun
    front     the digest of what is unfinished, as the server tells it (path, version, size, offset, sha)
    server    started, signalled, ended (code)
    sample, baseline, rest    what its process had; unfinished, left over    what lay out of sight
    file      what was there at the end (path, sha, size); fault    the soak itself failed at something
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field

# What was begun and not confirmed can still happen for so long after its client's end (seconds): bytes that are in
# buffers, a takeover that waits, a server that stands still.
LATE = 60

CHANGES = {"write", "remove", "rename"}


@dataclass
class Op:
    kind: str
    begin: float
    fields: dict
    end: float = float("inf")
    result: str = "open"
    found: dict = field(default_factory=dict)

    def __getattr__(self, name):
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def confirmed(self):
        return self.result == "confirmed"

    @property
    def latest(self):
        """The last moment at which it can have happened."""
        return self.end if self.confirmed else self.end + LATE


@dataclass
class History:
    events: dict = field(default_factory=lambda: defaultdict(list))   # of each kind, in order
    ops: list = field(default_factory=list)
    last: float = 0.0

    def of(self, *kinds):
        return [op for op in self.ops if op.kind in kinds]

    def one(self, kind):
        """The only event of its kind, or the last one; None where there is none."""
        return self.events[kind][-1] if self.events[kind] else None


def read(lines):
    history, begun = History(), {}
    for line in lines:
        event = json.loads(line)
        history.last = event["t"]
        if event["e"] == "end":
            op = begun[event["op"]]
            op.end, op.result, op.found = event["t"], event["result"], event
        elif "op" in event:
            begun[event["op"]] = op = Op(event["e"], event["t"], event)
            history.ops.append(op)
        else:
            history.events[event["e"]].append(event)
    return history
