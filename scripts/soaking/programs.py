"""Clients that others have written, and `haul put` and `haul get`: the command of each, and what its end means. They are
killed with -9 in the middle, with all their children.

A program is confirmed by its exit code. `goes_on`: it can be started again to go on with what lies there; those that
look at nothing but sizes are given only what nobody else writes to meanwhile.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import quote

from .upload import Refused
from .wire import Broken, Cut

# Seconds. What takes longer hangs; and when all is over nobody waits for what tries again and again.
PATIENCE, GOING = 90, 5


@dataclass(frozen=True)
class Program:
    label: str
    binary: str
    command: object        # (job) -> arguments
    goes_on: bool = True
    # Removes what is there when it fails, by its own decision.
    cleans_up: bool = False
    # Asks for several ranges at once, or goes on, without making sure that the file is the same still.
    trusts: bool = True
    # Says before it sends how much it is going to send.
    tells_size: bool = True
    # May take so long to come to its first byte that nobody knows when to kill it.
    slow_to_begin: bool = False
    # Where SIZE is 0 it asks for nothing and has an empty file: so it is of an upload that its owner has just begun.
    empties: bool = False
    # One request, and no second try: over FTP SIZE may be of another version than what RETR brings.
    single: bool = False


@dataclass
class Job:
    """What a command is made of."""
    binary: str
    user: object
    path: str
    local: str
    ports: dict
    rate: int | None       # bytes a second
    at: int
    size: int
    obscured: str
    ended_in: float = 0    # seconds from its kill to its end

    def url(self, scheme):
        door = "ftp" if scheme == "ftp" else "http"
        return f"{scheme}://127.0.0.1:{self.ports[door]}{quote(self.path)}"

    @property
    def login(self):
        return f"{self.user.name}:{self.user.password}"


# ---- Up ----

def _curl(job, scheme, *more):
    rate = ["--limit-rate", str(job.rate)] if job.rate else []
    return ["-sS", "-f", *rate, *more, "-u", job.login, "-T", job.local, job.url(scheme)]


def curl_ftp(job):
    return _curl(job, "ftp", *(["-C", "-"] if job.at else []))


def curl_ftps(job):
    return _curl(job, "ftp", "--ssl-reqd", "-k", *(["-C", "-"] if job.at else []))


def curl_http(job):
    return _curl(job, "http", *(["-C", str(job.at)] if job.at else []))


def curl_h2(job):
    return ["--http2-prior-knowledge", *curl_http(job)]


def _lftp(job, words):
    rate = f"set net:limit-rate {job.rate}; " if job.rate else ""
    tls = "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; " if job.at % 2 else "set ftp:ssl-allow no; "
    # With a second try it takes an older file that is longer for what it was about to send, and calls that done.
    patience = "set net:max-retries 1; set net:timeout 20; set net:reconnect-interval-base 1; "
    tls = f"set ssl:verify-certificate no; {tls}"
    opens = f"open -u {job.user.name},{job.user.password} ftp://127.0.0.1:{job.ports['ftp']}; "
    return ["--norc", "-c", f"{patience}{tls}{rate}{opens}{words}"]


def lftp_put(job):
    return _lftp(job, f"put {'-c ' if job.at else ''}{job.local} -o '{job.path}'")


def _haul_put(job, scheme, *more):
    rate = ["--limit-rate", str(job.rate)] if job.rate else []
    anew = [] if job.at else ["--restart"]
    return ["put", "-q", "--retries", "3", "--timeout", "20", "-u", job.login, "--if-exists", "overwrite", *rate, *anew,
            *more, job.local, job.url(scheme)]


def haul_ftp(job):
    return _haul_put(job, "ftp", "--tls", "off")


def haul_ftps(job):
    return _haul_put(job, "ftp", "--tls", "required", "--insecure")


def haul_ftp_lanes(job):
    return _haul_put(job, "ftp", "--tls", "off", "-n", "4")


def haul_draft(job):
    return _haul_put(job, "http", "--protocol", "draft")


def haul_tus(job):
    return _haul_put(job, "http", "--protocol", "tus")


def haul_tus_lanes(job):
    return _haul_put(job, "http", "--protocol", "tus", "-n", "4")


def haul_pieces(job):
    return _haul_put(job, "http", "--protocol", "put")


def _rclone(job):
    backend = f":ftp,host=127.0.0.1,port={job.ports['ftp']},user={job.user.name},pass={job.obscured}:{job.path}"
    rate = ["--bwlimit", f"{job.rate}B"] if job.rate else []
    return backend, ["--retries", "1", "--low-level-retries", "1", "--ignore-times", "--timeout", "20s", *rate]


def rclone_up(job):
    backend, options = _rclone(job)
    return ["copyto", *options, job.local, backend]


def ncftpput(job):
    # With -z it sends REST and then the whole file, which spoils it at every server.
    return ["-V", "-t", "20", "-r", "1", "-Z", "-u", job.user.name, "-p", job.user.password, "-P",
            str(job.ports["ftp"]), "-C", "127.0.0.1", job.local, job.path]


UP = [
    Program("curl ftp", "curl", curl_ftp, tells_size=False), Program("curl ftps", "curl", curl_ftps, tells_size=False),
    Program("curl http", "curl", curl_http), Program("curl h2", "curl", curl_h2),
    Program("lftp put", "lftp", lftp_put, tells_size=False),
    Program("ncftpput", "ncftpput", ncftpput, goes_on=False, tells_size=False),
    Program("rclone up", "rclone", rclone_up, goes_on=False, slow_to_begin=True, cleans_up=True),
    Program("haul put ftp", "haul", haul_ftp), Program("haul put ftps", "haul", haul_ftps),
    Program("haul put ftp lanes", "haul", haul_ftp_lanes), Program("haul put draft", "haul", haul_draft),
    Program("haul put tus", "haul", haul_tus), Program("haul put tus lanes", "haul", haul_tus_lanes),
    Program("haul put pieces", "haul", haul_pieces),
]


# ---- Down: into the folder that it runs in, under the name that `local` has ----

def curl_get(scheme, *more):
    def command(job):
        rate = ["--limit-rate", str(job.rate)] if job.rate else []
        going_on = ["-C", "-"] if job.at else []
        return ["-sS", "-f", *rate, *more, *going_on, "-u", job.login, "-o", job.local, job.url(scheme)]
    return command


def wget(scheme):
    def command(job):
        rate = [f"--limit-rate={job.rate}"] if job.rate else []
        return ["-q", "-t", "1", "-T", "20", "--auth-no-challenge", *rate, *(["-c"] if job.at else []),
                f"--user={job.user.name}", f"--password={job.user.password}", "-O", job.local, job.url(scheme)]
    return command


def aria2(scheme):
    def command(job):
        rate = [f"--max-overall-download-limit={job.rate}"] if job.rate else []
        return ["--no-conf", "-q", "--file-allocation=none", "--allow-overwrite=true", "--auto-file-renaming=false",
                "-x4", "-s4", "-k1M", "--max-tries=2", "--timeout=20", *rate, *(["-c"] if job.at else []),
                f"--http-user={job.user.name}", f"--http-passwd={job.user.password}", "--http-auth-challenge=false",
                f"--ftp-user={job.user.name}", f"--ftp-passwd={job.user.password}",
                "-d", os.path.dirname(job.local), "-o", os.path.basename(job.local), job.url(scheme)]
    return command


def haul_get(scheme, *more):
    def command(job):
        rate = ["--limit-rate", str(job.rate)] if job.rate else []
        return ["get", "-q", "--retries", "3", "--timeout", "20", "--overwrite", *rate, *more, "-u", job.login, "-o",
                job.local, job.url(scheme)]
    return command


def lftp_get(job):
    return _lftp(job, f"get {'-c ' if job.at else ''}'{job.path}' -o {job.local}")


def lftp_pget(job):
    # It makes the file as long as it will be, and after a kill takes the length for what it has.
    return _lftp(job, f"pget -n 3 '{job.path}' -o {job.local}")


def rclone_down(job):
    backend, options = _rclone(job)
    return ["copyto", *options, backend, job.local]


def axel(job):
    rate = ["-s", str(job.rate)] if job.rate else []
    return ["-q", "-n", "3", "-T", "20", *rate, "-o", job.local, job.url("http")]


DOWN = [
    Program("curl get http", "curl", curl_get("http"), single=True),
    Program("curl get ftp", "curl", curl_get("ftp")),
    Program("curl get ftps", "curl", curl_get("ftp", "--ssl-reqd", "-k")),
    Program("curl get h2", "curl", curl_get("http", "--http2-prior-knowledge"), single=True),
    Program("wget http", "wget", wget("http"), single=True), Program("wget ftp", "wget", wget("ftp")),
    Program("aria2 http", "aria2c", aria2("http")), Program("aria2 ftp", "aria2c", aria2("ftp"), empties=True),
    Program("lftp get", "lftp", lftp_get), Program("lftp pget", "lftp", lftp_pget, goes_on=False),
    Program("rclone down", "rclone", rclone_down, goes_on=False),
    Program("axel", "axel", axel, goes_on=False),
    Program("haul get http", "haul", haul_get("http"), trusts=False),
    Program("haul get ftp", "haul", haul_get("ftp", "--tls", "off"), trusts=False),
    Program("haul get ftps", "haul", haul_get("ftp", "--tls", "required", "--insecure"), trusts=False),
]


class Programs:
    """Those that are there, and how they are run."""

    def __init__(self, haul, users, over):
        self.haul, self.over = str(haul), over
        self.up = [one for one in UP if self._find(one)]
        self.down = [one for one in DOWN if self._find(one)]
        self.missing = sorted({one.binary for one in UP + DOWN if not self._find(one)})
        self.obscured = {}
        if shutil.which("rclone"):
            for user in users:
                said = subprocess.run(["rclone", "obscure", user.password], capture_output=True, text=True, check=True)
                self.obscured[user.name] = said.stdout.strip()

    def _find(self, program):
        return self.haul if program.binary == "haul" else shutil.which(program.binary)

    def job(self, program, user, path, local, ports, size, at, rng):
        rate = None if rng.random() < 0.4 else max(20_000, int(size / rng.uniform(1, 5)))
        return Job(program.binary, user, path, str(local), ports, rate, at, size, self.obscured.get(user.name, ""))

    def run(self, program, job, folder, kill_after=None):
        """Runs it to its end, or kills it after so many seconds. Nothing is returned where it ended well."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        # A client's own memory is its task's: another task may have the same path.
        clean |= {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "LC_ALL": "C"}
        with open(folder / "said", "wb") as said:
            child = subprocess.Popen([self._find(program), *program.command(job)], stdin=subprocess.DEVNULL, stdout=said,
                                     stderr=said, cwd=folder, env=clean, start_new_session=True)
            try:
                code = self._waits(child, kill_after)
                if code is None and kill_after:
                    raise Cut
                if code is None:
                    raise Broken("it is over" if self.over.is_set() else f"{program.label} hung")
            finally:
                # lftp may leave a child behind that goes on by itself.
                killed = time.monotonic()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                job.ended_in = time.monotonic() - killed
        if code != 0:
            words = (folder / "said").read_text(errors="replace").strip()[-300:]
            raise Refused(code, words)

    def _waits(self, child, kill_after):
        """Its exit code, or None where it is to be killed."""
        if kill_after:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(kill_after)
            return None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(1)
            if self.over.is_set():
                # Once more for a while, and no longer.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return child.wait(GOING)
                return None
        return None
