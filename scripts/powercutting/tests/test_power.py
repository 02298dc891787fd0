"""That a power cut's judge finds each fault, and that disks are cut as a disk with a cache may be."""

import random
import tempfile
import unittest
from pathlib import Path

from powercutting import disklog
from powercutting.story import FOLDER, Story

BLOCK = disklog.BLOCK


class Judged(unittest.TestCase):
    def setUp(self):
        self.story = Story(dict)
        self.old, self.new = (self.story.content(data) for data in (b"old", b"new"))
        self.story.begins("put", {"/f": self.old})
        self.story.done("put")
        self.story.begins("put", {"/f": self.new})

    def faults(self, tree, count=None):
        return len(self.story.until(len(self.story.entries) if count is None else count).faults(tree))

    def test_what_is_under_way_is_as_before_or_as_asked_for(self):
        self.assertEqual(self.faults({"/f": self.old}), 0)
        self.assertEqual(self.faults({"/f": self.new}), 0)

    def test_a_half_or_no_file_is_a_fault(self):
        self.assertEqual(self.faults({"/f": "half"}), 1)
        self.assertEqual(self.faults({}), 1)

    def test_what_was_confirmed_is_the_only_one(self):
        self.assertEqual(self.faults({"/f": self.new}, 2), 1)
        self.story.done("put")
        self.assertEqual(self.faults({"/f": self.old}), 1)
        self.assertEqual(self.faults({"/f": self.new}), 0)

    def test_what_nobody_made_is_a_fault(self):
        self.assertEqual(self.faults({"/f": self.old, "/g": self.old}), 1)

    def test_a_rename_is_done_or_not(self):
        self.story.done("put")
        self.story.begins("names", {"/f": None, "/g": self.new})
        self.assertEqual(self.faults({"/f": self.new}), 0)
        self.assertEqual(self.faults({"/g": self.new}), 0)
        self.assertEqual(self.faults({"/f": self.new, "/g": self.new}), 1)
        self.assertEqual(self.faults({}), 1)

    def test_a_folder_is_no_file(self):
        self.story.begins("names", {"/d": FOLDER})
        self.story.done("names")
        self.assertEqual(self.faults({"/f": self.old, "/d": self.old}), 1)
        self.assertEqual(self.faults({"/f": self.old, "/d": FOLDER}), 0)

    def test_an_upload_is_complete_where_its_file_is_there(self):
        self.story.named("/f", "/-/uploads/1/f", 3, self.new)
        said = []

        def wrong(tree, complete):
            expected = self.story.until(len(self.story.entries))
            return len(expected.misnamed(tree, lambda *asked: said.append(asked) or complete))
        self.assertEqual([wrong({"/f": self.old}, complete) for complete in (False, True)], [0, 1])
        self.assertEqual([wrong({"/f": self.new}, complete) for complete in (False, True)], [0, 0])
        self.story.told("/f", 2, self.new)
        self.assertEqual([wrong({"/f": self.old}, complete) for complete in (False, True)], [0, 1])
        self.assertEqual([wrong({"/f": self.new}, complete) for complete in (False, True)], [1, 0])
        self.assertEqual(set(said), {("/-/uploads/1/f", 3)})

    def test_an_offset_is_kept_until_its_file_is_there(self):
        self.story.told("/f", 2, self.new)
        self.assertEqual(self.story.until(4).offsets, {"/f": (2, self.new)})
        self.story.done("put")
        self.assertEqual(self.story.until(5).offsets, {})


class Cut(unittest.TestCase):
    """A log of one block written, a flush, and two blocks in one."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.base, self.log, self.disk = (self.folder / name for name in ("base", "log", "disk"))
        self.base.write_bytes(bytes(4 * BLOCK))
        self.entry(0, 0, b"a" * BLOCK, first=True)
        self.entry(disklog.FLUSH, 0, b"")
        self.flushed = self.log.stat().st_size
        self.entry(0, 1, b"b" * 2 * BLOCK)
        self.all = self.log.stat().st_size

    def entry(self, flags, block, data, first=False):
        sector = disklog.SECTOR
        head = disklog.ENTRY.pack(block * BLOCK // sector, len(data) // sector, flags, 0).ljust(sector, b"\0")
        with open(self.log, "ab") as log:
            log.write((bytes(sector) if first else b"") + head + data)

    def cut(self, upto, share, seed=1):
        disklog.cut(self.base, self.log, upto, self.disk, random.Random(seed), share)
        data = self.disk.read_bytes()
        return "".join(chr(data[at] or ord("-")) for at in range(0, len(data), BLOCK))

    def test_what_was_flushed_is_there(self):
        self.assertEqual(self.cut(self.all, 0), "a---")
        self.assertEqual(self.cut(self.flushed, 0), "a---")

    def test_what_was_not_is_there_block_by_block(self):
        self.assertEqual(self.cut(self.all, 1), "abb-")
        self.assertIn("ab--", {self.cut(self.all, 0.5, seed) for seed in range(20)})

    def test_what_was_not_told_yet_is_not_there(self):
        self.assertEqual(self.cut(self.all - 1, 1), "a---")
        self.assertEqual(self.cut(disklog.SECTOR, 1), "----")

    def test_a_tail_that_was_never_written_is_no_entry(self):
        with open(self.log, "ab") as log:
            log.write(bytes(disklog.SECTOR))
        self.assertEqual(self.cut(self.log.stat().st_size, 1), "abb-")
