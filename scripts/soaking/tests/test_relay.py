"""The link before a door: what it brings, and that nothing of it is left when it is closed.

    python3 -m unittest discover -s scripts -t scripts -p 'test_*.py'
"""

import asyncio
import contextlib
import socket
import threading
import unittest

from soaking.relay import Relay


class Door:
    """Says what it hears, to each who comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._echo, args=(self.listener.accept()[0],), daemon=True).start()

    def _echo(self, stream):
        with contextlib.suppress(OSError), stream:
            while piece := stream.recv(65536):
                stream.sendall(piece)


class Relayed(unittest.TestCase):
    def setUp(self):
        self.door = Door()
        self.addCleanup(self.door.listener.close)
        self.relay = Relay({"door": self.door.port})

    def come(self):
        stream = socket.create_connection(("127.0.0.1", self.relay.ports["door"]), timeout=10)
        self.addCleanup(stream.close)
        return stream

    def test_it_brings_what_comes_both_ways(self):
        stream = self.come()
        stream.sendall(b"some")
        self.assertEqual(stream.recv(4), b"some")
        self.relay.close()

    def test_nobody_is_on_the_way_when_it_is_closed(self):
        for _ in range(20):
            talking = self.come()
            talking.sendall(b"x")
            self.assertEqual(talking.recv(1), b"x")
            # One who has only just come.
            self.come()
            self.relay.close()
            self.assertEqual(asyncio.all_tasks(self.relay.loop), set())
            self.relay = Relay({"door": self.door.port})
        self.relay.close()


if __name__ == "__main__":
    unittest.main()
