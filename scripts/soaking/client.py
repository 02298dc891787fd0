"""One client's life: again and again it chooses a place and what to do there, does it with some kind of client, is cut or
killed now and then, and goes on with another kind. Everything that it does and hears is in the journal.
"""

import contextlib
import random
import shutil
import tempfile
import threading
from pathlib import Path

from . import away, download, upload_ftp, upload_http
from .content import digest
from .programs import Program
from .upload import Broken, Cut, CutAt, Refused, Upload
from .world import ANN, BOB

# Whether a way can go on, and whether only by the upload's URL. All can begin.
ANEW, BY_OFFSET, BY_URL = range(3)
WAYS = {
    "ftp": (upload_ftp.stor, BY_OFFSET), "ftps": (upload_ftp.stor_tls, BY_OFFSET), "ftp appe": (upload_ftp.appe, BY_OFFSET),
    "put": (upload_http.put, BY_OFFSET), "put pieces": (upload_http.pieces, BY_OFFSET),
    "draft": (upload_http.draft, BY_URL), "tus": (upload_http.tus, BY_URL), "tus parts": (upload_http.tus_parts, ANEW),
}
DOWN = {"get": download.by_get, "retr": download.by_retr, "retr tls": download.by_retr_tls}

# So long a program takes to come to its first byte, and a transfer to be none that is over at once (seconds).
LONG_ENOUGH = 1.0

# A client that looks at sizes alone goes on only where no byte came for so long (seconds): what lay in buffers is in.
QUIET = 3


class Client(threading.Thread):
    def __init__(self, number, soak):
        super().__init__(name=f"client {number}", daemon=True)
        self.number, self.soak = number, soak
        self.world, self.journal, self.places = soak.world, soak.journal, soak.places
        self.rng = random.Random(f"{soak.seed} client {number}")
        self.tasks = 0

    def run(self):
        # Not all at the same moment.
        self.soak.over.wait(self.rng.uniform(0, 3))
        while not self.soak.over.is_set():
            self.tasks += 1
            task = f"{self.number}.{self.tasks}"
            do = self.rng.choices((self.uploads, self.downloads, self.removes, self.renames), (50, 38, 6, 6))[0]
            folder = Path(tempfile.mkdtemp(prefix=f"{task}-", dir=self.soak.local))
            try:
                do(task, folder)
            except (Broken, Refused, Cut):
                pass
            except Exception as error:  # a mistake of the soak's own must not go unseen
                self.journal.tell("fault", task=task, what=repr(error))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            self.soak.over.wait(self.rng.expovariate(1 / self.soak.pause))

    # ---- What is chosen ----

    def ports(self):
        """Through the link that is cut, or past it."""
        return self.world.relay.ports if self.rng.random() < 0.5 else self.world.ports

    def size(self, place):
        kind = self.rng.random()
        if kind < 0.06:
            return self.rng.choice((0, 0, 1, 2, 3))
        if kind < 0.3:
            return self.rng.randrange(4, 9000)
        if kind < 0.8 or place.most < 1 << 20:
            return self.rng.randrange(10_000, min(place.most, 700_000))
        return self.rng.randrange(200_000, place.most)

    def cut(self, size, likely):
        if size < 2 or self.rng.random() > likely:
            return None
        return CutAt(self.rng.randrange(size), self.rng.random() < 0.5, self.rng.choice((0, 0, 0.1, 0.5)))

    def about(self, task, folder, place, user, version=0, data=b""):
        path = place.path if user is place.user else place.served
        return Upload(self.world, self.journal, self.rng, task, place, user, path, version, data, folder, self.ports())

    def retried(self, what):
        """Does something until the server answers; None when all is over before."""
        while not self.soak.over.is_set():
            try:
                return what()
            except (Broken, Refused):
                self.soak.over.wait(self.rng.uniform(0.3, 1.5))
        raise Broken("it is over")

    # ---- Up ----

    def uploads(self, task, folder):
        place = self.rng.choice(self.places.all)
        if not self.places.for_writing(place):
            return
        try:
            version = self.places.version(place)
            data = self.soak.contents.make(place.served, version, self.size(place))
            up = self.about(task, folder, place, place.user, version, data)
            self.journal.tell("version", task=task, path=up.served, version=version, size=up.size, sha=up.sha)
            there = self.retried(lambda: up.ask(ours=False))
            if there is not None:
                up.stale = there[1]
                self.journal.tell("stale", task=task, path=up.served, url=up.stale, offset=there[0])
            if self.brings(up) == "confirmed" and self.rng.random() < 0.6:
                self.looks(up)
        finally:
            if not place.contested:
                self.places.done_writing(place)

    def brings(self, up):
        """Tries until it is there, or until it is given up for whoever comes next."""
        tries = self.rng.choice((1, 3, 6, 12))
        for number in range(tries):
            last_of_all = number == tries - 1 and tries > 1
            at, quiet = self.whereto(up) if number else (0, True)
            if at is None:
                return "found"
            up.ports = self.ports()
            # What goes as the last try is not cut on purpose.
            cut = None if last_of_all else self.cut(up.size - at, 0.45)
            result = self.attempt(up, self.way(up, at, quiet), at, cut)
            if result == "confirmed":
                return result
            if result == "found" or self.soak.over.is_set():
                return None
            self.soak.over.wait(self.rng.choice((0, 0.1, 0.5, 1, QUIET + 1)))
        return None

    def whereto(self, up):
        """From which byte to go on: None where the file is there already; and whether nobody sends to it any more."""
        if up.place.contested and up.url is None:
            return 0, True

        def asks():
            there = up.ask()
            if there is not None and there[1] == up.url:
                return there[0], there[2] >= QUIET
            # Between an upload's last byte and its name it is neither: it is asked twice.
            if there is None and up.published() == up.sha:
                return None, True
            return -1, True
        at, quiet = self.retried(asks)
        if at == -1 and not up.place.contested:
            self.soak.over.wait(2)
            at, quiet = self.retried(asks)
        if at == -1:
            self.journal.tell("gone", task=up.task, user=up.user.name, path=up.served, version=up.version, url=up.url)
            up.stale, up.url = up.stale or up.url, None
            return 0, True
        if at is None:
            return None, True
        if up.url and self.rng.random() < 0.2:
            with contextlib.suppress(Broken, Refused):
                up.front()
        if self.rng.random() < 0.08 and not up.place.contested:
            return 0, True
        if at > 1 and self.rng.random() < 0.08 and not up.place.contested:
            return self.rng.randrange(1, at), False   # back to an earlier byte, which REST and Content-Range may
        return at, quiet

    def way(self, up, at, quiet):
        """Some way that can do what is asked: a name of WAYS, or a program."""
        rng, programs = self.rng, self.soak.programs.up
        if up.place.contested:
            curl = [one for one in programs if one.binary == "curl"]
            return rng.choice(["draft", "tus"] if at else ["ftp", "ftps", "put", "draft", "tus", "tus parts", *curl])
        if not at:
            return rng.choice(programs if programs and rng.random() < 0.5 else list(WAYS))
        able = [name for name, (_, goes_on) in WAYS.items() if goes_on != ANEW and (name != "ftp appe" or quiet)]
        blind = [one for one in programs if one.goes_on] if quiet else []
        return rng.choice(blind if blind and rng.random() < 0.5 else able)

    def attempt(self, up, way, at, cut):
        """One attempt, written down with how it ended."""
        label = way.label if isinstance(way, Program) else way
        about = {"task": up.task, "user": up.user.name, "path": up.served}
        removal = None
        if isinstance(way, Program) and way.cleans_up:
            removal = self.journal.begin("remove", way=label, **about)
        op = self.journal.begin("write", **about, version=up.version,
                                size=up.size, sha=up.sha, way=label, at=at, cut=None if cut is None else cut.after)
        result, why = "broken", None
        try:
            if isinstance(way, Program):
                if cut is not None and not way.tells_size:
                    # Data goes past the link: behind it the end of control would come later than any kernel has it.
                    up.ports = self.world.ports
                job = self.job(way, up, up.local, at)
                try:
                    self.soak.programs.run(way, job, up.folder, self.killed(cut, way))
                except Cut:
                    if not way.tells_size:
                        # It had been at it for a while, and all that it had open was closed in that time.
                        up.ended_apart(job.ended_in, LONG_ENOUGH / 2)
                    raise
                result = "confirmed"
            else:
                result = WAYS[way][0](up, at, cut)
        except Cut:
            result = "cut"
        except Refused as error:
            result, why = "refused", str(error)
        except Broken as error:
            why = str(error)
        finally:
            self.journal.end(op, result, why=why)
            if removal is not None:
                self.journal.end(removal, "perhaps")
        return result

    def killed(self, cut, program):
        """After how many seconds a program is killed. One that does not tell the size of what it sends over FTP has to be
        at it for a while: see docs/soak.md."""
        if cut is None or program.slow_to_begin:
            return None
        return LONG_ENOUGH * (not program.tells_size) + self.rng.choice((0.05, 0.3, 1, 3)) * self.rng.random()

    def job(self, program, up, local, at):
        # Of what is fetched nobody knows the size: it is that of the largest there may be.
        return self.soak.programs.job(program, up.user, up.path, local, up.ports, up.size or up.place.most, at, self.rng)

    # ---- Down ----

    def downloads(self, task, folder):
        place = self.rng.choice(self.places.all)
        held = self.rng.random() < 0.7 and self.places.for_reading(place)
        try:
            up = self.about(task, folder, place, self.rng.choice((place.user, place.user, ANN, BOB)))
            ways = [*DOWN, *DOWN, *(one for one in self.soak.programs.down if held or not one.trusts or one.single)]
            for _ in range(self.rng.choice((1, 2, 3))):
                up.ports = self.ports()
                way = self.rng.choice(ways)
                # A length is not known: what is cut in the middle of a short file is not cut.
                cut = CutAt(self.rng.randrange(1, 400_000), False, 0) if self.rng.random() < 0.4 else None
                if self.fetch(up, way, cut, held) == "complete":
                    return
        finally:
            if held:
                self.places.done_reading(place)

    def looks(self, up):
        """Fetches what was just confirmed; the checker judges it."""
        self.fetch(up, self.rng.choice(list(DOWN)), None, False)

    def fetch(self, up, way, cut, held):
        label = way.label if isinstance(way, Program) else way
        op = self.journal.begin("read", task=up.task, path=up.served, user=up.user.name, way=label)
        result, why, found = "broken", None, {}
        try:
            data = self.runs(up, way, cut, held) if isinstance(way, Program) else DOWN[way](up, cut)
            result = "absent" if data is None else "complete"
            if data is not None:
                found = {"sha": digest(data), "size": len(data)}
                self.soak.keep(found["sha"], data)
        except Cut:
            result = "cut"
        except Refused as error:
            result, why = "refused", str(error)
        except Broken as error:
            why = str(error)
        finally:
            self.journal.end(op, result, why=why, **found)
        return result

    def runs(self, up, program, cut, held):
        """A program, and after a kill the same once more, where that may go on."""
        into = up.folder / program.label.replace(" ", "-")
        into.mkdir(exist_ok=True)
        local, tries = into / "got", 2 if cut is not None and program.goes_on and (held or not program.trusts) else 1
        for number in range(tries):
            going_on = local.stat().st_size if number and local.exists() else 0
            try:
                kill = self.killed(cut, program) if number == 0 else None
                self.soak.programs.run(program, self.job(program, up, local, going_on), into, kill)
                if not local.exists() or program.empties and not local.stat().st_size:
                    raise Refused(0, "it ended well and left nothing")
                return local.read_bytes()
            except Cut:
                if number == tries - 1:
                    raise
        raise Broken("unreachable")

    # ---- Away ----

    def removes(self, task, folder):
        place = self.rng.choice(self.places.all)
        if self.places.for_writing(place):
            try:
                up = self.about(task, folder, place, place.user)
                (away.drop if self.rng.random() < 0.4 else away.remove)(up)
            finally:
                if not place.contested:
                    self.places.done_writing(place)

    def renames(self, task, folder):
        place, onto = (self.rng.choice([one for one in self.places.all if not one.contested]) for _ in range(2))
        if place is onto or place.user is not onto.user or place.most != onto.most or not self.places.for_writing(place):
            return
        try:
            if self.places.for_writing(onto):
                try:
                    away.rename(self.about(task, folder, place, place.user), onto)
                finally:
                    self.places.done_writing(onto)
        finally:
            self.places.done_writing(place)
