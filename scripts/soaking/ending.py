"""What is left when all clients have gone: whether the server comes to rest, what lies in the tree, what lies unfinished
and whether it goes away when it is given up. It judges nothing; the checker does.
"""

import hashlib
import signal

from .sampler import descriptors, sample

PATIENCE = 90


def take_stock(soak):
    world, journal = soak.world, soak.journal
    _comes_to_rest(soak)
    _unfinished(world, journal, "unfinished")
    for path, served in _files(world):
        data = path.read_bytes()
        sha = hashlib.sha256(data).hexdigest()
        soak.keep(sha, data)
        journal.tell("file", path=served, sha=sha, size=len(data))
    journal.tell("all files")
    dropped = world.ask("uploads", "--drop", "--all")
    journal.tell("all dropped", answers=dropped)
    world.until(lambda: not world.staging() and not world.ask("uploads"), 20)
    _unfinished(world, journal, "left over")
    world.stop(signal.SIGTERM)


def _comes_to_rest(soak):
    """Waits until nobody is on any more and no more descriptors are open than before anybody came."""
    world, journal = soak.world, soak.journal

    def alone():
        status = world.ask("status")
        return status and status[0]["server"] and not status[0]["sessions"]
    journal.tell("alone", came=world.until(alone, PATIENCE))
    baseline = soak.baseline["fds"]
    world.until(lambda: (sample(world.process.pid) or {"fds": 0})["fds"] <= baseline, 45)
    journal.tell("rest", **(sample(world.process.pid) or {}), open=descriptors(world.process.pid))


def _unfinished(world, journal, event):
    listed = world.ask("uploads")
    journal.tell(event, listed=listed, staging=world.staging())


def _files(world):
    for top, at in ((world.tree, ""), (world.mounted, "/disk")):
        for path in sorted(top.rglob("*")):
            if path.is_file() and ".haul" not in path.relative_to(top).parts:
                yield path, f"{at}/{path.relative_to(top)}"
