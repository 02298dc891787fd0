"""What goes away: files are removed and renamed over both doors, unfinished uploads are given up by their URL.

RNFR, RNTO and DELE mean the unfinished upload first, where there is one of this user's (docs/ftp-commands.md): they are
said only where there is none, so that the journal says what was meant.
"""

import contextlib
from urllib.parse import quote

from .upload import Broken, Refused
from .upload_ftp import session


@contextlib.contextmanager
def _told(up, event, **fields):
    """Writes down what is done, and how it ended."""
    op = up.journal.begin(event, task=up.task, user=up.user.name, path=up.served, **fields)
    try:
        yield
    except Refused as error:
        up.journal.end(op, "refused", why=str(error))
    except Broken as error:
        up.journal.end(op, "broken", why=str(error))
    else:
        up.journal.end(op, "confirmed")


def _wants(answer, *statuses):
    if answer.status not in statuses:
        raise Refused(answer.status, answer.body[:200].decode("latin-1"))


def remove(up):
    """Removes the file."""
    unfinished = up.ask(ours=False) is not None
    if unfinished or up.place.contested or up.rng.random() < 0.5:
        with _told(up, "remove", way="DELETE"):
            _wants(up.request("DELETE", up.target), 204)
        return
    with _told(up, "remove", way="DELE"), session(up.user, up.ports["ftp"]) as ftp:
        ftp.delete(up.path)


def drop(up):
    """Gives up what is unfinished, if anything is."""
    there = up.ask(ours=False)
    if there is not None and not up.place.contested:
        with _told(up, "drop", url=there[1]):
            _wants(up.request("DELETE", there[1]), 204)


def rename(up, onto):
    """Gives a file another name, over what may be there."""
    if up.ask(ours=False) is not None:
        return
    if up.rng.random() < 0.5:
        with _told(up, "rename", to=onto.served, way="MOVE"):
            _wants(up.request("MOVE", up.target, {"Destination": quote(onto.path), "Content-Length": 0}), 201, 204)
        return
    with _told(up, "rename", to=onto.served, way="RNTO"), session(up.user, up.ports["ftp"]) as ftp:
        ftp.rename(up.path, onto.path)
