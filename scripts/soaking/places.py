"""The paths of a soak, and who may use each at a time.

Most have one owner, and one task writes there at a time: then a client may go on blindly, as curl does. Some are wanted
by everybody at once: there each begins at the first byte, or goes on by an upload's URL, which names one upload; to go on
there by an offset alone would be the client's own mistake.
"""

import threading
from dataclasses import dataclass

from .world import ANN, BOB, CAROL, DAVE, MIB, User


@dataclass(eq=False)
class Place:
    user: User          # whose it is; of a contested one whoever comes next
    path: str           # as this user says it
    contested: bool = False
    most: int = MIB     # bytes
    writing: bool = False
    readers: int = 0

    @property
    def served(self):
        return self.user.served(self.path)


class Places:
    def __init__(self, clients):
        count = max(12, clients * 4 // 5)
        self.lock = threading.Lock()
        self.all, self.newest = [], {}
        for number in range(count):
            user, folder = self._owner(number)
            big = number % 40 == 7 and user in (ANN, BOB)
            most = 40 * MIB if big else 512 << 10 if user in (CAROL, DAVE) else 3 * MIB
            self.all.append(Place(user, f"{folder}/file {number}.bin", most=most))
        for number in range(max(2, clients // 20)):
            folder = "/disk/both" if number % 3 == 0 else "/both"
            for user in (ANN, BOB):
                self.all.append(Place(user, f"{folder}/{number}.bin", contested=True, most=2 * MIB))

    @staticmethod
    def _owner(number):
        if number % 8 == 3:
            return CAROL, ""
        if number % 8 == 5:
            return DAVE, ""
        return (ANN, BOB)[number % 2], "/disk/own" if number % 5 == 0 else "/own"

    def version(self, place):
        """A number for a new version of what is there, by whomever."""
        with self.lock:
            self.newest[place.served] = self.newest.get(place.served, 0) + 1
            return self.newest[place.served]

    def for_writing(self, place):
        """Takes a place to write in; whether that may be now."""
        with self.lock:
            if not place.contested:
                if place.writing or place.readers:
                    return False
                place.writing = True
            return True

    def for_reading(self, place):
        """Keeps a place as it is; whether that may be now."""
        with self.lock:
            if place.contested or place.writing:
                return False
            place.readers += 1
            return True

    def done_writing(self, place):
        with self.lock:
            place.writing = False

    def done_reading(self, place):
        with self.lock:
            place.readers -= 1
