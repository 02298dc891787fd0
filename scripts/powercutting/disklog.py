"""What a disk was told, in order: the log that qemu's `blklogwrites` keeps (the format of Linux's
dm-log-writes), and disks as a power cut may leave them.

What was written before a flush that ended is on the disk. Of what was written after the last one, each block may be there
or not: a disk has a cache of its own, and writes when and in what order it likes.
"""

import json
import struct
import subprocess

ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, length of a mark
SECTOR, BLOCK = 512, 4096
FLUSH, FUA, DISCARD = 1, 2, 4


def logged(name, disk, log):
    """The blockdev of this name, a disk that keeps a log."""
    log.write_bytes(b"")
    return json.dumps({"driver": "blklogwrites", "node-name": name, "file": file(disk), "log": file(log)})


def file(path):
    return {"driver": "raw", "file": {"driver": "file", "filename": str(path)}}


def entries(log, upto):
    """What was told to the disk while its log was not longer than this: (flags, offset, where its bytes are, length)."""
    at, found = SECTOR, []
    with open(log, "rb") as file:
        while at + SECTOR <= upto:
            file.seek(at)
            sector, sectors, flags, _ = ENTRY.unpack(file.read(ENTRY.size))
            length = 0 if flags & DISCARD else sectors * SECTOR
            assert flags <= FLUSH | FUA | DISCARD, f"no entry of a log at {at}"
            if at + SECTOR + length > upto:
                break
            if flags == 0 and sectors == 0:
                break  # It was never written: the machine ended.
            found.append((flags, sector * SECTOR, at + SECTOR, length))
            at += SECTOR + length
    return found


def cut(base, log, upto, disk, rng, share):
    """Makes `disk` as it may be after a power cut at this length of the log: of what was not flushed this share is there.
    How many bytes that leaves out."""
    subprocess.run(["cp", "--sparse=always", base, disk], check=True)
    told = entries(log, upto)
    flushed = max((number for number, (flags, *_) in enumerate(told) if flags & FLUSH), default=-1)
    lost = 0
    with open(log, "rb") as source, open(disk, "r+b") as target:
        for number, (flags, offset, where, length) in enumerate(told):
            source.seek(where)
            for block in range(0, length, BLOCK):
                piece = source.read(min(BLOCK, length - block))
                if number < flushed or flags & FUA or rng.random() < share:
                    target.seek(offset + block)
                    target.write(piece)
                else:
                    lost += len(piece)
    return lost
