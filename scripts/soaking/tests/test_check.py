"""The checker with journals made by hand: each fault that it is there for is found, and what a server may do is none.

    python3 -m unittest discover -s scripts -t scripts -p 'test_*.py'
"""

import json
import unittest

from soaking.check import files, history, offsets, remains, table
from soaking.content import Contents, digest

CONTENTS = Contents(1)


class Story:
    """A journal as it is written here: a line for each thing that was done, a second after the one before."""

    def __init__(self):
        self.lines, self.now, self.ops = [], 0.0, 0

    def tell(self, event, **fields):
        self.now += 1
        self.lines.append(json.dumps({"t": self.now, "e": event, **fields}))
        return self

    def begin(self, event, **fields):
        self.ops += 1
        self.tell(event, op=self.ops, task="1.1", **fields)
        return self.ops

    def end(self, op, result, **fields):
        return self.tell("end", op=op, result=result, **fields)

    def does(self, event, result, **fields):
        return self.end(self.begin(event, **fields), result)

    def write(self, version, result="confirmed", path="/f", at=0, user="ann", sha=None):
        return self.does("write", result, path=path, version=version, at=at, user=user, size=100, way="put",
                         sha=sha or f"sha of {path} {version}")

    def read(self, version, path="/f"):
        op = self.begin("read", path=path, way="get")
        if version is None:
            return self.end(op, "absent")
        return self.end(op, "complete", sha=version if isinstance(version, str) else f"sha of {path} {version}", size=100)

    def fetches(self, content, path="/f"):
        return self.end(self.begin("read", path=path, way="get"), "complete", sha=digest(content), size=len(content))

    def told(self, offset, version=1, path="/f", user="ann"):
        return self.tell("told", user=user, path=path, version=version, offset=offset, by="HEAD", asked=self.now,
                         url=None)

    def gone(self, version=1):
        return self.tell("gone", user="ann", path="/f", version=version, url=None)

    def waits(self, seconds):
        self.now += seconds
        return self

    def ends(self, **there):
        for name, sha in there.items():
            self.tell("file", path=f"/{name}", sha=sha, size=1)
        return self.tell("all files")

    def history(self):
        return history.read(self.lines)


class Fetched(unittest.TestCase):
    def faults(self, story):
        return list(files.looks(story.history(), CONTENTS))

    def test_what_was_confirmed_is_fetched(self):
        self.assertEqual(self.faults(Story().write(1).read(1).write(2).read(2)), [])

    def test_what_nobody_sent_is_found(self):
        self.assertIn("no version that anybody sent", self.faults(Story().write(1).read("a mix"))[0])

    def test_a_version_of_another_path_is_found(self):
        self.assertIn("version 1 of /g", self.faults(Story().write(1, path="/g").read("sha of /g 1"))[0])

    def test_a_version_that_was_replaced_before_is_found(self):
        self.assertIn("gone since", self.faults(Story().write(1).write(2).read(1))[0])

    def test_a_version_that_was_removed_before_is_found(self):
        story = Story().write(1).does("remove", "confirmed", path="/f", way="x").read(1)
        self.assertIn("(remove)", self.faults(story)[0])

    def test_a_version_that_is_not_there_any_more_is_found(self):
        self.assertIn("not there", self.faults(Story().write(1).read(None))[0])

    def test_a_version_that_was_removed_perhaps_may_be_there_or_not(self):
        story = Story().write(1).does("remove", "broken", path="/f", way="x")
        self.assertEqual(self.faults(story.read(1)), [])
        self.assertEqual(self.faults(story.read(None)), [])

    def test_what_was_cut_may_be_there_or_not_and_late(self):
        story = Story().write(1).write(2, "cut").read(1).waits(20).read(2)
        self.assertEqual(self.faults(story), [])

    def test_what_was_cut_long_ago_does_not_come_back(self):
        story = Story().write(1, "cut").waits(100).write(2).read(1)
        self.assertIn("gone since", self.faults(story)[0])

    def test_a_reader_may_see_either_of_two_at_a_time(self):
        story = Story().write(1)
        reading = story.begin("read", path="/f", way="get")
        story.write(2)
        story.end(reading, "complete", sha="sha of /f 1", size=100)
        self.assertEqual(self.faults(story.read(2)), [])

    def test_a_half_is_one_only_of_a_client_whose_connections_ended_apart(self):
        whole = CONTENTS.make("/f", 2, 3000)
        sent = {"sha": digest(whole), "path": "/f"}
        story = Story().write(1).write(2, "cut", **sent)
        self.assertIn("no version", self.faults(story.fetches(whole[:1700]))[0])
        story = Story().write(1).write(2, "cut", **sent)
        story.tell("apart", task="1.1", path="/f", version=2, size=3000, seconds=0.3)
        self.assertEqual(self.faults(story.fetches(whole[:1700]).fetches(whole).read(1)), [])
        self.assertEqual(files.halves(story.history(), CONTENTS), 1)
        self.assertIn("no version", self.faults(story.fetches(whole[1:1700]))[0])

    def test_a_rename_brings_it_and_takes_it_away(self):
        story = Story().write(1).does("rename", "confirmed", path="/f", to="/g", way="MOVE")
        self.assertEqual(self.faults(story.read("sha of /f 1", "/g").read(None)), [])
        self.assertIn("gone since", self.faults(story.read(1))[0])
        lost = Story().write(1).does("rename", "confirmed", path="/f", to="/g", way="MOVE").read(None, "/g")
        self.assertIn("not there", self.faults(lost)[0])


class Left(unittest.TestCase):
    def faults(self, story):
        return list(files.tree(story.history(), CONTENTS))

    def test_a_tree_that_is_as_it_was_told_has_no_fault(self):
        story = Story().write(1).write(2).ends(f="sha of /f 2")
        self.assertEqual(self.faults(story), [])

    def test_a_half_file_is_found(self):
        self.assertIn("no version", self.faults(Story().write(1).ends(f="half of it"))[0])

    def test_an_old_file_is_found(self):
        self.assertIn("gone since", self.faults(Story().write(1).write(2).ends(f="sha of /f 1"))[0])

    def test_a_missing_file_is_found(self):
        self.assertIn("not there", self.faults(Story().write(1).ends())[0])

    def test_a_tree_that_nobody_looked_at_is_found(self):
        self.assertEqual(self.faults(Story().write(1)), ["the tree was not looked at"])


class Told(unittest.TestCase):
    def faults(self, story):
        return list(offsets.held(story.history()))

    def test_an_offset_that_grows_is_kept(self):
        self.assertEqual(self.faults(Story().write(1, "cut").told(10).told(10).told(20)), [])

    def test_an_offset_that_goes_back_is_found(self):
        self.assertIn("was told 20", self.faults(Story().write(1, "cut").told(20).told(10))[0])

    def test_an_offset_that_goes_back_behind_a_write_that_went_on_is_found(self):
        story = Story().write(1, "cut").told(20).write(1, "cut", at=20).told(19)
        self.assertIn("was told 20", self.faults(story)[0])

    def test_who_goes_on_from_an_earlier_byte_takes_it_back(self):
        self.assertEqual(self.faults(Story().write(1, "cut").told(20).write(1, "cut", at=5).told(10)), [])

    def test_who_begins_anew_takes_it_back(self):
        self.assertEqual(self.faults(Story().write(1, "cut").told(20).write(1, "cut").told(3)), [])

    def test_two_that_were_asked_at_a_time_may_cross(self):
        story = Story().write(1, "cut")
        asked = story.now
        self.assertEqual(self.faults(story.told(20).tell("told", user="ann", path="/f", version=1, offset=10, by="HEAD",
                                                         asked=asked, url=None)), [])

    def test_an_upload_that_is_gone_is_found(self):
        self.assertIn("nothing was there", self.faults(Story().write(1, "cut").told(20).gone())[0])

    def test_an_upload_of_which_nothing_was_told_may_be_gone(self):
        self.assertEqual(self.faults(Story().write(1, "cut").gone()), [])
        self.assertEqual(self.faults(Story().write(1, "cut").told(0).gone()), [])

    def test_an_upload_that_was_given_up_or_replaced_may_be_gone(self):
        dropped = Story().write(1, "cut").told(20).does("drop", "confirmed", user="ann", path="/f")
        self.assertEqual(self.faults(dropped.gone()), [])
        self.assertEqual(self.faults(Story().write(1, "cut").told(20).write(2, "cut").gone()), [])

    def test_what_somebody_else_does_takes_nothing_back(self):
        self.assertEqual(len(self.faults(Story().write(1, "cut").told(20).write(2, "cut", user="bob").gone())), 1)

    def test_unfinished_bytes_that_are_no_beginning_are_found(self):
        right = digest(CONTENTS.make("/f", 1, 100)[:40])
        story = Story().tell("front", path="/f", version=1, size=100, offset=40, sha=right)
        self.assertEqual(list(offsets.fronts(story.history(), CONTENTS)), [])
        story.tell("front", path="/f", version=2, size=100, offset=40, sha=right)
        self.assertEqual(len(list(offsets.fronts(story.history(), CONTENTS))), 1)


class Remaining(unittest.TestCase):
    def rest(self, **more):
        story = Story().tell("baseline", fds=10, rss=10 << 20, open=["a", "socket:[1]"]).tell("alone", came=True)
        rest = {"fds": 10, "rss": 12 << 20, "open": ["a", "socket:[2]"], **more}
        return list(remains.leaks(story.tell("rest", **rest).history()))

    def test_a_server_at_rest_has_no_fault(self):
        self.assertEqual(self.rest(), [])

    def test_a_descriptor_too_many_is_found_and_named(self):
        self.assertIn("a file", self.rest(fds=11, open=["a", "a file", "socket:[3]"])[0])

    def test_memory_that_stays_is_found(self):
        self.assertIn("100 MiB", self.rest(rss=100 << 20)[0])

    def test_sessions_that_stay_are_found(self):
        story = Story().tell("baseline", fds=1, rss=1, open=[]).tell("alone", came=False)
        self.assertEqual(len(list(remains.leaks(story.tell("rest", fds=1, rss=1, open=[]).history()))), 1)

    def test_orphans_are_found(self):
        def faults(staging, left, listed=()):
            story = Story().tell("unfinished", listed=[{"id": "m12ab", "path": "/f", "user": "ann"}], staging=staging)
            return list(remains.orphans(story.tell("left over", listed=list(listed), staging=left).history()))
        self.assertEqual(faults({"ab": 5}, {}), [])
        self.assertIn("belongs to no upload", faults({"ab": 5, "cd": 6}, {})[0])
        self.assertIn("after all was dropped", faults({"ab": 5}, {"ab": 5})[0])
        self.assertIn("is listed", faults({}, {}, [{"id": "x", "path": "/f", "user": "ann"}])[0])

    def test_an_end_that_nobody_asked_for_is_found(self):
        story = Story().tell("server", what="started").tell("server", what="ended", code=-11)
        self.assertIn("-11", list(remains.endings(story.history()))[0])
        story = Story().tell("server", what="signalled", signal="SIGKILL").tell("server", what="ended", code=-9)
        self.assertEqual(list(remains.endings(story.history())), [])
        story = Story().tell("server", what="signalled", signal="SIGTERM").tell("server", what="ended", code=1)
        self.assertEqual(len(list(remains.endings(story.history()))), 1)

    def test_a_panic_and_an_unknown_problem_are_found_in_the_log(self):
        lines = ["thread 'main' panicked at x.rs:1", json.dumps({"event": "problem", "what": "something else"}),
                 json.dumps({"event": "problem", "what": "everything stays as it was: 1"}),
                 json.dumps({"event": "closed", "why": "panicked"})]
        self.assertEqual(len(list(remains.log(lines))), 2)

    def test_a_soak_that_did_not_come_to_its_end_or_did_nothing_is_found(self):
        self.assertEqual(list(remains.soaked(Story().tell("end of soak").history())), [])
        self.assertIn("did not come", list(remains.soaked(Story().write(1).history()))[0])
        failed = Story().tell("fault", task="1", what="x").tell("end of soak")
        self.assertEqual(len(list(remains.soaked(failed.history()))), 1)
        story = Story()
        for _ in range(20):
            story.write(1, "refused")
        self.assertIn("put never", list(remains.soaked(story.tell("end of soak").history()))[0])

    def test_every_rule_stands_in_the_table(self):
        rules = table.verdicts(Story().write(1).ends(f="x").history(), [], CONTENTS)
        self.assertEqual(len(rules), 9)


if __name__ == "__main__":
    unittest.main()
