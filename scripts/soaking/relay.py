"""A link before a door that can be cut: what comes on one side goes out on the other, until somebody pulls the plug.

FTP's data connections go past it; those are cut by whoever holds them.
"""

import asyncio
import contextlib
import socket
import struct
import threading

PIECE = 256 << 10


class Relay:
    """Doors of its own, one before each of the server's, in a thread of its own."""

    def __init__(self, targets):
        self.pairs = set()
        self.doors = []
        self.ports = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="relay", daemon=True)
        self.thread.start()
        for name, port in targets.items():
            opening = asyncio.run_coroutine_threadsafe(self._listen(port), self.loop)
            self.ports[name] = opening.result(10)

    async def _listen(self, target):
        async def come(reader, writer):
            await self._serve(target, reader, writer)
        door = await asyncio.start_server(come, "127.0.0.1", 0, limit=PIECE)
        self.doors.append(door)
        return door.sockets[0].getsockname()[1]

    async def _serve(self, target, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target, limit=PIECE)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self.pairs.add(pair)
        ways = [asyncio.ensure_future(_carry(reader, far_writer)), asyncio.ensure_future(_carry(far_reader, writer))]
        try:
            await asyncio.gather(*ways)
        finally:
            self.pairs.discard(pair)
            for way in ways:
                way.cancel()
            for end in pair:
                end.transport.abort()

    def cut(self, choose, reset):
        """Cuts those connections that `choose` is true of; with a reset, or as if whoever was there had gone. Says how
        many."""
        async def cutting():
            victims = [pair for pair in self.pairs if choose()]
            for pair in victims:
                for end in pair:
                    with contextlib.suppress(OSError, AttributeError):
                        if reset:
                            linger = struct.pack("ii", 1, 0)
                            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    end.transport.abort()
            return len(victims)
        return asyncio.run_coroutine_threadsafe(cutting(), self.loop).result(10)

    def close(self):
        """Ends when nobody is on the way any more."""
        async def ending():
            for door in self.doors:
                door.close()
            # Who is still being connected is cut as soon as that is done.
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for end in [end for pair in self.pairs for end in pair]:
                    end.transport.abort()
                await asyncio.wait(others, timeout=0.1)
        asyncio.run_coroutine_threadsafe(ending(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


async def _carry(reader, writer):
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except (OSError, asyncio.IncompleteReadError, RuntimeError):
        writer.transport.abort()
