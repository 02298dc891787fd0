"""What goes wrong, by a seed: the server is killed, stopped and reloaded, its disk fills up, connections are cut, whoever
runs it gives up unfinished uploads. In the last part of a soak the process is left alone, so that one that leaks has the
time to.
"""

import random
import signal
import threading

# How many of each come in a hundred disturbances.
WEIGHTS = {"cut": 34, "reload": 14, "broken reload": 8, "kill": 16, "stop": 8, "full disk": 10, "drop": 6, "stand still": 4}
ENDS_THE_PROCESS = {"kill", "stop"}
CALM = 0.35   # of the time, without an end of the process


class Disturber(threading.Thread):
    def __init__(self, soak):
        super().__init__(name="disturber", daemon=True)
        self.soak, self.world, self.journal = soak, soak.world, soak.journal
        self.rng = random.Random(f"{soak.seed} disturber")
        self.done = dict.fromkeys(WEIGHTS, 0)

    def run(self):
        pause = max(1.0, min(5.0, self.soak.seconds / 40))
        # Each of them once, in some order; then as they come.
        first = self.rng.sample(list(WEIGHTS), len(WEIGHTS))
        while not self.soak.over.wait(self.rng.uniform(0.3, 1.7) * pause):
            what = first.pop() if first else self.rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
            calm = self.soak.passed() > 1 - CALM
            if calm and what in ENDS_THE_PROCESS:
                continue
            op = self.journal.begin("disturbance", what=what)
            try:
                getattr(self, what.replace(" ", "_"))()
                self.done[what] += 1
                self.journal.end(op, "done")
            except Exception as error:  # told, and the soak fails by it
                self.journal.end(op, "fault", why=repr(error))
                self.journal.tell("fault", task="disturber", what=repr(error))

    def cut(self):
        part, reset = self.rng.choice((0.1, 0.5, 1)), self.rng.random() < 0.5
        self.world.relay.cut(lambda: self.rng.random() < part, reset)

    def reload(self):
        self.world.reload(stall=self.rng.choice(("20s", "30s")), refuse=self.rng.choice(("5m", "10m")))

    def broken_reload(self):
        self.world.reload(broken=True)
        self.soak.over.wait(1)
        # The file on disk is one that can be started from: a server that is started anew reads it, too.
        self.world.reload()

    def kill(self):
        with self.world.lock:
            self.world.stop(signal.SIGKILL)
            self.soak.over.wait(self.rng.choice((0, 0, 1, 3)))
            self.world.start()

    def stop(self):
        with self.world.lock:
            self.world.stop(signal.SIGTERM)
            self.soak.over.wait(self.rng.choice((0, 1)))
            self.world.start()

    def full_disk(self):
        self.world.fill()
        try:
            self.soak.over.wait(self.rng.uniform(1, 6))
            if self.soak.passed() < 1 - CALM and self.rng.random() < 0.3:
                self.kill()
        finally:
            self.world.free()

    def drop(self):
        """Whoever runs it gives up some of what lies there for a while."""
        listed = self.world.ask("uploads", "--older-than", "15s") or []
        for one in self.rng.sample(listed, min(len(listed), 5)):
            op = self.journal.begin("drop", task="operator", user=one["user"], path=one["path"])
            said = self.world.ask("uploads", "--drop", "--id", one["id"])
            self.journal.end(op, "confirmed" if said and said[0].get("dropped") else "refused")

    def stand_still(self):
        """A machine that is so busy that it does nothing for a while."""
        with self.world.lock:
            self.world.signal(signal.SIGSTOP)
            self.soak.over.wait(self.rng.uniform(0.5, 3))
            self.world.signal(signal.SIGCONT)
