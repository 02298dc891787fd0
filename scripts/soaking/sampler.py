"""What the server takes, once a second: memory, descriptors, threads, and what lies out of sight."""

import contextlib
import os
import threading
from pathlib import Path


def sample(pid):
    """What a process has now; None where there is none, or it has just ended."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return {"pid": pid, "rss": int(fields["VmRSS"].split()[0]) << 10, "threads": int(fields["Threads"]),
                "fds": len(os.listdir(f"/proc/{pid}/fd"))}
    return None


def descriptors(pid):
    """What each descriptor is, for whoever looks for one too many."""
    found = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


class Sampler(threading.Thread):
    def __init__(self, soak):
        super().__init__(name="sampler", daemon=True)
        self.soak = soak
        self.gone = threading.Event()

    def run(self):
        world = self.soak.world
        while not self.gone.wait(1):
            found = sample(world.process.pid) if world.process else None
            if found is not None:
                staging = world.staging()
                ledger = sum(path.stat().st_size for path in (world.tree / ".haul").glob("uploads.db*"))
                self.soak.journal.tell("sample", **found, staged=len(staging), staged_bytes=sum(staging.values()),
                                       ledger=ledger)

    def close(self):
        self.gone.set()
        self.join(5)
