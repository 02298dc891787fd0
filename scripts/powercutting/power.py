"""The power of a server goes while clients send to it, at any of many moments.

The server's tree and state are on a disk each, so that what is synced on the one does not take what is on the other along.
Both keep a log of what they are told (disklog.py): a file system of this kernel on a loop device, which is a file that
`qemu-storage-daemon` shows by FUSE. From the logs the disks of each moment are made anew, mounted, and served by a haul
that finds another boot id; then what clients had been told by then is judged (story.py).
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

from soaking.wire import Broken

from . import clients, disklog
from .story import FOLDER, Story

DISKS = {"tree": "256M", "state": "64M"}
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SETTINGS = """dir = "{tree}"
state = "{state}"
[ftp]
listen = "127.0.0.1:0"
[http]
listen = "127.0.0.1:0"
[anonymous]
access = "off"
"""


class Failed(Exception):
    """It could not be tried."""


def run_(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


class Server:
    """The disks, and haul on them. Everything is mounted where only this process and its children see it."""

    def __init__(self, folder, haul):
        self.folder, self.haul, self.ports = folder, haul, {}
        self.process, self.daemon, self.loops = None, None, []
        for name, size in DISKS.items():
            self.file(name, "base").unlink(missing_ok=True)
            self.place(name).mkdir(exist_ok=True)
            run_("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0",
                 self.file(name, "base"), size)
        self.config = folder / "serve.toml"
        self.config.write_text(SETTINGS.format(**{name: self.place(name) / "haul" for name in DISKS}))

    def file(self, name, kind):
        return self.folder / f"{name}.{kind}"

    def place(self, name):
        return self.folder / name

    def logged(self):
        """Disks that keep a log, from their first byte on."""
        blocks, exports = [], []
        for name in DISKS:
            run_("cp", "--sparse=always", self.file(name, "base"), self.file(name, "disk"))
            self.file(name, "shown").write_bytes(b"")
            blocks += ["--blockdev", disklog.logged(name, self.file(name, "disk"), self.file(name, "log"))]
            exports += ["--export", f"type=fuse,id={name},node-name={name},mountpoint={self.file(name, 'shown')},writable=on"]
        self.daemon = subprocess.Popen(["qemu-storage-daemon", *blocks, *exports])
        while not all(self.file(name, "shown").stat().st_size for name in DISKS):
            if self.daemon.poll() is not None:
                raise Failed("qemu-storage-daemon ended")
            time.sleep(0.05)
        self.mount("shown")

    def mount(self, kind):
        for name in DISKS:
            self.loops.append(run_("losetup", "--find", "--show", self.file(name, kind)))
            run_("mount", self.loops[-1], self.place(name))
            (self.place(name) / "haul").mkdir(exist_ok=True)

    def start(self):
        """haul, as in a boot of its own."""
        boot = self.folder / "boot_id"
        boot.write_text(f"{uuid.uuid4()}\n")
        run_("mount", "--bind", boot, BOOT_ID)
        self.process = subprocess.Popen([self.haul, "serve", "--config", self.config, "--user",
                                         f"{clients.USER}:{clients.PASSWORD}"],
                                        stdout=subprocess.PIPE, stderr=open(self.folder / "serve.log", "ab"), text=True)
        for _ in range(2):
            line = self.process.stdout.readline()
            if not line:
                raise Failed(f"haul did not start: see {self.folder}/serve.log")
            door, port = re.match(r"listening (\w+) .*:(\d+)", line).groups()
            self.ports[door] = int(port)

    def end(self):
        """Everything is gone; the logs stay."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            run_("umount", BOOT_ID)
        for name in DISKS:
            subprocess.run(["umount", self.place(name)], capture_output=True)
        while self.loops:
            run_("losetup", "--detach", self.loops.pop())
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait()
            self.daemon = None

    def positions(self):
        return {name: self.file(name, "log").stat().st_size for name in DISKS}


def tree(root):
    """What readers see: each path, and its digest, or that it is a folder."""
    found = {}
    for place, folders, files in os.walk(root):
        if Path(place) == root:
            folders[:] = [name for name in folders if name != ".haul"]
        for name in folders:
            found["/" + str((Path(place) / name).relative_to(root))] = FOLDER
        for name in files:
            path = Path(place) / name
            found["/" + str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def faults(server, story, count, finishing):
    """What is wrong with the server that runs now, where these entries had been made before."""
    expected, there = story.until(count), tree(server.place("tree") / "haul")
    found = expected.faults(there)
    found += expected.misnamed(there, lambda url, size: clients.is_complete(server.ports, url, size))
    for path, (offset, digest) in expected.offsets.items():
        if there.get(path) == digest:
            continue
        kept = clients.unfinished(server.ports, path)
        if kept is None:
            found.append(f"{path}: {offset} was told, and nothing is there")
            continue
        at, body = kept
        if at < offset or len(body) != at or body != story.contents[digest][:at]:
            found.append(f"{path}: {offset} was told, {at} is told now, with {len(body)} bytes, right or wrong")
        elif finishing and not clients.finishes(server.ports, path, at, story.contents[digest]):
            found.append(f"{path}: it could not be finished")
    return found, len(expected.sure), len(expected.offsets)


def load(server, story, seconds, seed):
    """Clients for so long; the server is ended under them. What is wrong already, and how often each kind came round."""
    crowd = [kind(number, story, server.ports, seed) for kind in clients.KINDS for number in range(2)]
    for client in crowd:
        client.start()
    time.sleep(seconds)
    for client in crowd:
        client.stopping = True
    server.process.kill()
    for client in crowd:
        client.join(60)
    rounds = {kind.__name__: sum(client.rounds for client in crowd if isinstance(client, kind)) for kind in clients.KINDS}
    return [f"before the cut, {client.name}: {client.fault}" for client in crowd if client.fault], rounds


def run(folder, haul, say, seed, seconds, moments):
    """What was found."""
    server, rng = Server(folder, haul), random.Random(seed)
    story = Story(server.positions)
    try:
        server.logged()
        server.start()
        found, rounds = load(server, story, seconds, seed)
    finally:
        server.end()
    count = len(story.entries)
    say(f"seed {seed}: {seconds} s, {count} things begun, told and confirmed", f"rounds {rounds}\nlogs {server.positions()}")
    for count in sorted(rng.sample(range(1, count + 1), min(moments, count))):
        found += at_moment(server, story, count, rng, say)
    say(f"{len(found)} faults", "\n".join(found))
    return found


def at_moment(server, story, count, rng, say):
    """What is wrong where the power went after so many entries, and the disks lost what they had not been told to flush."""
    positions, kind, words = story.entries[count - 1]
    share = rng.choice([0, 0, 0.5, 0.9])
    lost = {name: disklog.cut(server.file(name, "base"), server.file(name, "log"), positions[name],
                              server.file(name, "disk"), rng, share) for name in DISKS}
    try:
        server.mount("disk")
        server.start()
        wrong, sure, offsets = faults(server, story, count, rng.random() < 0.3)
    except (Broken, Failed, clients.Refused) as error:
        wrong, sure, offsets = [repr(error)], 0, 0
    finally:
        server.end()
    say(f"after {count} ({kind} {words[0]}), bytes lost {lost}: {sure} paths, {offsets} offsets, {len(wrong)} faults")
    return [f"after {count} ({kind} {words[0]}): {fault}" for fault in wrong]
