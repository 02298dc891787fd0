"""Whole, and there: what anybody fetches is one version that was sent, and one that can have been there at that time;
what was confirmed is there until something may have taken its place.

A path is a register that holds one value, the digest of a file, or nothing. What is not confirmed may have happened at
any time until `latest`, or not at all; so nothing here is called a fault that a server with a reason could have done.

One half may be published: that of a client over FTP that told no size, where the machine itself ended the data connection
longer before the control connection than the server has to watch (`apart`). On the wire that is a whole file.
"""

from collections import defaultdict

from ..content import digest
from .history import CHANGES


class Register:
    """What was done to one path."""

    def __init__(self):
        self.puts = []      # writes, and renames onto it
        self.takes = []     # removals, and renames away

    def add(self, op, path):
        if op.kind == "remove" or (op.kind == "rename" and op.path == path):
            self.takes.append(op)
        else:
            self.puts.append(op)


def registers(history):
    found = defaultdict(Register)
    for op in history.of(*CHANGES):
        found[op.path].add(op, op.path)
        if op.kind == "rename":
            found[op.to].add(op, op.to)
    return found


class Judge:
    """Says of one look at a path what cannot have been seen there."""

    def __init__(self, history, contents):
        self.paths, self.apart, self.contents = registers(history), history.events["apart"], contents
        self.sent = defaultdict(set)
        for op in history.of("write"):
            self.sent[op.sha].add((op.path, op.version))

    def sources(self, path, sha, before, seen=()):
        """What can have brought this value to this path before that time, with the last moment at which it did."""
        found = []
        for op in self.paths[path].puts:
            if op.begin > before or op in seen:
                continue
            if op.kind == "write":
                if op.sha == sha:
                    found.append(op)
            elif self.sources(op.path, sha, op.latest, (*seen, op)):
                found.append(op)
        # Whatever came of earlier attempts ends with the one that was confirmed.
        confirmed = [op.end for op in found if op.confirmed]
        latest = max((op.latest for op in found), default=None)
        if found and confirmed:
            after = [op.latest for op in found if op.begin > max(confirmed)]
            latest = max([max(confirmed), *after])
        return latest

    def may_be_half(self, sha, size):
        """Whether these are the first bytes of what a client sent whose connections ended apart."""
        return any(size < one["size"]
                   and digest(self.contents.make(one["path"], one["version"], one["size"])[:size]) == sha
                   for one in self.apart)

    def saw(self, path, found, begin, end):
        sha = found["sha"]
        latest = self.sources(path, sha, end)
        if latest is None:
            if self.may_be_half(sha, found["size"]):
                return None
            others = sorted(self.sent[sha])
            what = f"version {others[0][1]} of {others[0][0]}" if others else "no version that anybody sent"
            return f"{what} was seen at {path}"
        register = self.paths[path]
        for op in register.puts + register.takes:
            # A write of the same value, and a rename that may have brought it, leave it there.
            same = op.kind == "write" and op.sha == sha or op.kind == "rename" and op.to == path
            if op.confirmed and not same and latest < op.begin and op.end < begin:
                return f"{path} had a version at {begin:.3f} that was gone since {op.end:.3f} ({op.kind})"
        return None

    def saw_nothing(self, path, begin, end):
        register = self.paths[path]
        for put in register.puts:
            if not put.confirmed or put.end >= begin:
                continue
            if not any(take.latest >= put.begin and take.begin <= end for take in register.takes):
                return f"{path} was confirmed at {put.end:.3f} ({put.fields.get('way')}) and not there at {begin:.3f}"
        return None


def looks(history, contents):
    """Everything that somebody fetched is one version, of that time."""
    judge = Judge(history, contents)
    for op in history.of("read"):
        fault = None
        if op.result == "complete":
            fault = judge.saw(op.path, op.found, op.begin, op.end)
        elif op.result == "absent":
            fault = judge.saw_nothing(op.path, op.begin, op.end)
        if fault:
            yield f"{fault}, by {op.way} in task {op.task}"


def halves(history, contents):
    """How many of what was fetched were halves that may have been published."""
    judge = Judge(history, contents)
    seen = [op for op in history.of("read") if op.result == "complete" and op.found["sha"] not in judge.sent]
    return sum(judge.may_be_half(op.found["sha"], op.found["size"]) for op in seen)


def tree(history, contents):
    """What lies in the tree at the end is whole, and nothing that was confirmed is missing."""
    if history.one("all files") is None:
        yield "the tree was not looked at"
        return
    judge, end = Judge(history, contents), history.one("all files")["t"]
    there = {event["path"]: event for event in history.events["file"]}
    for path, file in sorted(there.items()):
        if fault := judge.saw(path, file, end, end):
            yield f"{fault}, at the end"
    for path in sorted(set(judge.paths) - set(there)):
        if fault := judge.saw_nothing(path, end, end):
            yield f"{fault}, at the end"
