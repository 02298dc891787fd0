"""What is sent: bytes that follow from a seed, a path and a version, so that a checker can make them again.

Two versions of a path differ in every block, also where they are equally long, so that no mix of them can pass.
"""

import hashlib

POOL = 32 << 20


class Contents:
    """Bytes for a path and a version: a stretch of one pool, behind a line that says which it is."""

    def __init__(self, seed):
        self.pool = hashlib.shake_128(f"haul soak {seed}".encode()).digest(POOL)

    def make(self, path, version, size):
        line = f"{path} {version} {size}\n".encode()
        begin = int.from_bytes(hashlib.sha256(line).digest()[:8], "big") % POOL
        parts, need = [line[:size]], size - min(size, len(line))
        while need:
            parts.append(self.pool[begin:begin + need])
            need -= len(parts[-1])
            begin = 0
        return b"".join(parts)


def digest(data):
    return hashlib.sha256(data).hexdigest()
