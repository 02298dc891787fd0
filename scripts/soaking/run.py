"""A soak from its beginning to its end: a world, clients, what goes wrong, what is left."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time

from .client import Client
from .content import Contents
from .disturber import Disturber
from .ending import take_stock
from .journal import Journal
from .places import Places
from .programs import Programs
from .relay import Relay
from .sampler import Sampler, descriptors, sample
from .world import ANN, CAROL, USERS, World

# How long a client does nothing between two tasks, on the average: two cores carry two hundred of them.
PAUSE = 6.0


class Soak:
    """What all parts of a soak have in common."""

    def __init__(self, folder, haul, seconds, clients, seed):
        self.folder, self.seconds, self.seed = folder, seconds, seed
        self.local, self.odd = folder / "clients", folder / "odd"
        for path in (self.local, self.odd):
            path.mkdir()
        _own_disk(self.local)
        self.journal = Journal(folder / "journal.jsonl")
        self.contents = Contents(seed)
        self.over = threading.Event()
        self.programs = Programs(haul, USERS, self.over)
        self.world = World(folder, haul, self.journal)
        self.places = Places(clients)
        self.pause = min(PAUSE, seconds / 20)
        self.clients = [Client(number, self) for number in range(clients)]
        self.baseline = None
        self.began = time.monotonic()

    def passed(self):
        """How much of the time has passed, 0 to 1."""
        return (time.monotonic() - self.began) / self.seconds

    def keep(self, sha, data):
        """Keeps what no version is like, for whoever looks into it."""
        if sha not in self.journal.known and data:
            (self.odd / sha).write_bytes(data)

    def run(self):
        journal, world = self.journal, self.world
        journal.tell("soak", seed=self.seed, seconds=self.seconds, clients=len(self.clients),
                     disk="tmpfs" if world.real_disk else "quota", missing=self.programs.missing)
        world.start()
        world.relay = Relay(world.ports)
        world.until(lambda: world.ask("status"), 10)
        self._warms_up()
        # At rest before anybody came: what it is to come back to.
        self.baseline = sample(world.process.pid)
        journal.tell("baseline", **self.baseline, open=descriptors(world.process.pid))
        sampler, disturber = Sampler(self), Disturber(self)
        self.began = time.monotonic()
        for thread in (sampler, disturber, *self.clients):
            thread.start()
        with contextlib.suppress(KeyboardInterrupt):
            while self.passed() < 1:
                time.sleep(min(1, self.seconds / 10))
                self._says()
        self.over.set()
        journal.tell("over", disturbances=disturber.done)
        disturber.join(120)
        for client in self.clients:
            client.join(120)
        journal.tell("clients gone", still=sum(client.is_alive() for client in self.clients))
        world.relay.close()
        take_stock(self)
        sampler.close()
        journal.tell("end of soak")
        journal.close()

    def _warms_up(self):
        """Has the server open what it keeps open from its first upload on: its ledger, and a folder on each file system.
        It does so once more, as a server that found the ledger of one that was killed."""
        self._touches()
        self.world.stop(signal.SIGKILL)
        self.world.start()
        self.world.until(lambda: self.world.ask("status"), 10)
        self._touches()

    def _touches(self):
        for place in self.places.all:
            if not place.contested and place.user in (ANN, CAROL) or place.path.startswith("/disk/both"):
                up = self.clients[0].about("warming up", self.local, place, place.user)
                up.ports = self.world.ports
                up.request("PUT", up.target, content=b"warm")
                up.request("DELETE", up.target)
                # One that is unfinished, and given up.
                up.request("PUT", up.target, {"Content-Range": "bytes 0-3/9"}, b"warm")
                up.request("DELETE", up.target)

    def _says(self):
        if sys.stderr.isatty():
            tasks = sum(client.tasks for client in self.clients)
            print(f"\r{self.passed():4.0%}  {tasks} tasks ", end="", file=sys.stderr)


def _own_disk(path):
    """What clients have lies in memory, where that may be: the soak is of a server."""
    if os.environ.get("HAUL_SOAK_MOUNTS") == "yes":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "haul-soak", str(path)], capture_output=True)


def allow_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
