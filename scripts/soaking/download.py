"""Downloads by our own hand: over HTTP with ranges under If-Range, over FTP with REST where date and size have stayed the
same before and after. Each comes back with the bytes, with None where there is no such file, or raises as uploads do.
"""

import ftplib

from .upload import Refused
from .upload_ftp import session
from .wire import Broken, Cut


def by_get(up, cut):
    """GET, hung up on in the middle, and then the rest of the same version, or all of another one."""
    have, tag = b"", None
    for _ in range(6):
        fields = dict(up.authorization)
        if have:
            fields |= {"Range": f"bytes={len(have)}-", "If-Range": tag}
        pieces = []

        def take(piece):
            pieces.append(piece)
            if cut is not None and sum(map(len, pieces)) >= cut.after:
                raise Cut
        with up.caller() as caller:
            try:
                caller.begin("GET", up.target, fields)
                answer = caller.answer(body=take)
            except (Cut, Broken):
                # What had come is kept if a head says which version it is of.
                have, tag = _kept(have, tag, caller.head, pieces)
                cut = None
                continue
        if answer.status == 404:
            return None
        if answer.status == 200:
            return b"".join(pieces)
        if answer.status == 206:
            if answer.head.get("etag") != tag or not answer.head["content-range"].startswith(f"bytes {len(have)}-"):
                raise Refused(206, "of another version or range than was asked for")
            return have + b"".join(pieces)
        if answer.status == 416:
            have, tag = b"", None
            continue
        raise Refused(answer.status, "to GET")
    raise Broken("six tries")


def _kept(have, tag, head, pieces):
    if head is not None and head.status == 200:
        return b"".join(pieces), head.head.get("etag")
    if head is not None and head.status == 206 and head.head.get("etag") == tag:
        return have + b"".join(pieces), tag
    return b"", None


def by_retr(up, cut, tls=False):
    """RETR; a file that was another before or after is no download."""
    have, seen = b"", None
    for _ in range(4):
        with session(up.user, up.ports["ftp"], tls) as ftp:
            try:
                now = ftp.voidcmd(f"MDTM {up.path}"), ftp.size(up.path)
                if now != seen:
                    have, seen = b"", now
                data = ftp.transfercmd(f"RETR {up.path}", len(have) or None)
            except ftplib.error_perm as error:
                if str(error).startswith("550"):
                    return None
                if str(error).startswith("554"):
                    have, seen = b"", None
                    continue
                raise
            while piece := data.recv(1 << 18):
                have += piece
                if cut is not None and len(have) >= cut.after:
                    break
            data.close()
            if cut is not None and len(have) >= cut.after:
                cut = None
                continue
            ftp.voidresp()
            if (ftp.voidcmd(f"MDTM {up.path}"), ftp.size(up.path)) == seen:
                return have
            have, seen = b"", None
    raise Broken("four tries")


def by_retr_tls(up, cut):
    return by_retr(up, cut, True)
