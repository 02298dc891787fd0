"""The record of a soak: one JSON object a line, with the time since the beginning by a clock that never goes back.

What is begun is written down before it is done, and what was heard after it was heard, so that an answer never stands
in the journal without its question. The words are told in `check/history.py`, which is all that reads them.
"""

import itertools
import json
import threading
import time


class Journal:
    """Where all threads write; a line is in the file when `tell` comes back."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1, encoding="utf-8")
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.numbers = itertools.count(1)
        self.known = set()   # digests of all that was ever to be sent

    def now(self):
        return round(time.monotonic() - self.began, 6)

    def tell(self, event, **fields):
        """Writes an event down, and says when that was."""
        if event == "version":
            self.known.add(fields["sha"])
        with self.lock:
            now = self.now()
            self.file.write(json.dumps({"t": now, "e": event, **fields}) + "\n")
        return now

    def begin(self, event, **fields):
        """Writes down that something begins; its end is to be told with the same number."""
        op = next(self.numbers)
        self.tell(event, op=op, **fields)
        return op

    def end(self, op, result, **fields):
        self.tell("end", op=op, result=result, **fields)

    def close(self):
        with self.lock:
            self.file.close()
