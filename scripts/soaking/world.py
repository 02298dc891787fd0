"""The server of a soak: its disk, its configuration, its process, and how they are changed while clients are at work.

The tree lies on file systems of its own that are small (tmpfs, in a mount namespace that only the soak sees), so that a
full disk is a full disk. Where nothing may be mounted the quota of those who have the whole tree is used up instead.
"""

import contextlib
import errno
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

MIB = 1 << 20
TREE_SIZE, MOUNT_SIZE = 640 * MIB, 256 * MIB


@dataclass(frozen=True)
class User:
    """Somebody who may log in; `home` is where their root is in the tree."""
    name: str
    home: str
    more: str = ""

    @property
    def password(self):
        return f"{self.name}-secret"

    def served(self, path):
        """A path of this user's as the server has it."""
        return self.home.rstrip("/") + path


ANN, BOB = User("ann", "/"), User("bob", "/")
CAROL = User("carol", "/carol", 'quota_bytes = "20M"\nquota_files = 200\n')
DAVE = User("dave", "/dave", 'up = "3M"\ndown = "4M"\nsession_up = "1M"\n')
USERS = [ANN, BOB, CAROL, DAVE]


def free_port(taken):
    """A port that nobody has, and that the system gives to no outgoing connection: it has to be free again after each
    restart."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in taken:
                return port


class World:
    """The server and what it stands on."""

    def __init__(self, folder, haul, journal):
        self.folder, self.haul, self.journal = folder, haul, journal
        self.base, self.second = folder / "disk", folder / "second"
        self.tree, self.mounted = self.base / "tree", self.second / "tree"
        self.config = folder / "serve.toml"
        self.log = open(folder / "server.log", "ab")
        self.process = None
        self.lock = threading.RLock()
        self.ports = {}
        for door in ("http", "ftp"):
            self.ports[door] = free_port(self.ports.values())
        self.relay = None
        self.hashes = {user.name: self._hash(user.password) for user in USERS}
        self.real_disk = self._mount()
        for path in (self.tree, self.mounted, *(self.tree / name for name in ("own", "both", "carol", "dave"))):
            path.mkdir(parents=True, exist_ok=True)
        for name in ("own", "both"):
            (self.mounted / name).mkdir(exist_ok=True)
        self.settings()

    def _hash(self, password):
        said = subprocess.run([self.haul, "passwd"], input=password + "\n", text=True, capture_output=True, check=True)
        return said.stdout.strip()

    def _mount(self):
        for path, size in ((self.base, TREE_SIZE), (self.second, MOUNT_SIZE)):
            path.mkdir()
            if os.environ.get("HAUL_SOAK_MOUNTS") != "yes":
                continue
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "haul-soak", str(path)]
            if subprocess.run(mount, capture_output=True).returncode:
                return False
        return os.environ.get("HAUL_SOAK_MOUNTS") == "yes"

    # ---- Settings ----

    def settings(self, tight=False, stall="20s", refuse="10m", broken=False):
        """Writes the configuration; `tight` leaves nobody any room, `broken` is one that cannot be read."""
        listen = "\n".join(f'[{door}]\nlisten = "127.0.0.1:{port}"\nstall = "{stall}"\n'
                           for door, port in self.ports.items())
        quota = 'quota_bytes = "1M"\n' if tight else ""
        users = "\n".join(f'[[user]]\nname = "{user.name}"\npassword = "{self.hashes[user.name]}"\n'
                          f'home = "{user.home}"\n{user.more or quota}' for user in USERS)
        text = f"""dir = "{self.tree}"
drain = "3s"

{listen}
[tls]
self_signed = true

[anonymous]
access = "r"

[login]
failures = 0
refuse = "{refuse}"

[log]
format = "json"

[[mount]]
path = "/disk"
dir = "{self.mounted}"

{users}"""
        if broken:
            text += '\n[[user]]\nname = "ann"\npasword = "twice, and without one"\n'
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.rename(self.config)

    def reload(self, **settings):
        with self.lock:
            self.settings(**settings)
            self.signal(signal.SIGHUP)

    # ---- The process ----

    def start(self):
        """Starts the server and waits until both doors are open."""
        with self.lock:
            self.process = subprocess.Popen([self.haul, "serve", "--config", self.config], stdout=subprocess.PIPE,
                                            stderr=self.log, text=True)
            doors = 0
            for line in self.process.stdout:
                doors += line.startswith("listening ")
                if doors == len(self.ports):
                    self.journal.tell("server", what="started", pid=self.process.pid)
                    return
            code = self.process.wait()
            self.journal.tell("server", what="not started", code=code)
            raise RuntimeError(f"the server did not start: {code}")

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stop(self, number, patience=30):
        """Ends the server by a signal, and says in the journal how it ended."""
        with self.lock:
            self.journal.tell("server", what="signalled", signal=signal.Signals(number).name, pid=self.process.pid)
            self.signal(number)
            try:
                code = self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.journal.tell("server", what="hangs", pid=self.process.pid)
                self.process.kill()
                code = self.process.wait()
            self.process.stdout.close()
            self.journal.tell("server", what="ended", pid=self.process.pid, code=code)

    def ask(self, *words):
        """What `haul serve WORDS` says as JSON, one object a line; None where it fails."""
        command = [self.haul, "serve", *words, "--json", "--config", self.config]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=30)
        except subprocess.TimeoutExpired:
            return None
        try:
            return [json.loads(line) for line in said.stdout.splitlines()]
        except ValueError:
            return None

    # ---- The disk ----

    def staging(self):
        """Every file that lies out of sight, with its size."""
        found = {}
        for top in (self.tree, self.mounted):
            for path in (top / ".haul" / "staging").glob("*"):
                with contextlib.suppress(OSError):
                    found[path.name] = path.stat().st_size
        return found

    def fill(self):
        """Leaves nobody any room."""
        if not self.real_disk:
            self.reload(tight=True)
        for base in (self.base, self.second) if self.real_disk else ():
            with open(base / "filler", "wb") as filler:
                step = 16 * MIB
                while step >= 4096:
                    try:
                        os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), step)
                    except OSError as error:
                        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                            raise
                        step //= 2

    def free(self):
        if not self.real_disk:
            self.reload()
        for base in (self.base, self.second):
            (base / "filler").unlink(missing_ok=True)

    def until(self, what, patience, pause=0.2):
        """Waits for a condition; whether it came."""
        end = time.monotonic() + patience
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(pause)
        return True
