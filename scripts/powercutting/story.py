"""What clients did and what they were told, in order, and beside each thing how far the disks were by then. From it
follows what has to be there after a power cut at any moment.

A path has one writer, which does one thing at a time. So what lies there is what was confirmed last, or what was under way.
"""

import hashlib
import threading

FOLDER = "a folder"


class Story:
    """`positions` tells how far the disks are; it is asked after an answer has come, so what the answer promised is in them."""

    def __init__(self, positions):
        self.positions, self.lock = positions, threading.Lock()
        self.entries, self.contents = [], {}

    def _note(self, kind, *words):
        with self.lock:
            self.entries.append((self.positions(), kind, words))

    def content(self, data):
        digest = hashlib.sha256(data).hexdigest()
        self.contents[digest] = data
        return digest

    def begins(self, writer, change):
        """Before it is asked for: each path, and what shall be there (a digest, a folder, or None)."""
        self._note("begins", writer, change)

    def done(self, writer):
        """It was confirmed."""
        self._note("done", writer)

    def told(self, path, offset, digest):
        """So much of this content is safe, the server says."""
        self._note("told", path, offset, digest)

    def named(self, path, url, size, digest):
        """An upload of this content has this URL."""
        self._note("named", path, url, size, digest)

    def until(self, count):
        """What has to hold where the power went after so many entries."""
        expected = Expected()
        for _, kind, words in self.entries[:count]:
            getattr(expected, kind)(*words)
        return expected


class Expected:
    """What is there (`sure`), what may be (`under_way`, for each writer), the offsets that were told, and for each path the
    upload that was named last, and whether an offset of it was told."""

    def __init__(self):
        self.sure, self.under_way, self.offsets, self.uploads = {}, {}, {}, {}

    def begins(self, writer, change):
        self.under_way[writer] = change

    def done(self, writer):
        for path, state in self.under_way.pop(writer).items():
            self.sure[path] = state
            self.offsets.pop(path, None)

    def told(self, path, offset, digest):
        self.offsets[path] = (offset, digest)
        if path in self.uploads and self.uploads[path][2] == digest:
            self.uploads[path] = (*self.uploads[path][:3], True)

    def named(self, path, url, size, digest):
        self.uploads[path] = (url, size, digest, False)

    def misnamed(self, tree, is_complete):
        """What is wrong with what is told of uploads: an upload is complete where its file is there, and nowhere else. Of one
        that nothing was told of nothing need be known."""
        found = []
        for path, (url, size, digest, told) in self.uploads.items():
            complete, there = is_complete(url, size), tree.get(path) == digest
            if complete and not there:
                found.append(f"{path}: its upload is told to be complete, and {tree.get(path)} is there")
            if there and told and not complete:
                found.append(f"{path}: it is there, and its upload is not told to be complete")
        return found

    def faults(self, tree):
        """What is wrong with this tree (path: digest or folder), as words."""
        found, open_paths = [], set()
        for writer, change in self.under_way.items():
            open_paths |= change.keys()
            before = {path: self.sure.get(path) for path in change}
            now = {path: tree.get(path) for path in change}
            if now not in (before, change):
                found.append(f"{writer}: {now} is neither {before} nor {change}")
        for path in (self.sure.keys() | tree.keys()) - open_paths:
            if self.sure.get(path) != tree.get(path):
                found.append(f"{path} is {tree.get(path)} and was confirmed as {self.sure.get(path)}")
        return found
