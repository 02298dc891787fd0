"""Uploads over FTP by ftplib, in the clear and within TLS: STOR, REST and STOR, APPE, with ALLO or without, and the many
ways in which such a client goes away.
"""

import contextlib
import ftplib
import os
import resource
import ssl
import threading
import time

from .upload import Refused
from .wire import CHUNK, PATIENCE, Broken, Cut, reset


def insecure():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


INSECURE = insecure()
CLOSING = threading.Lock()
LONG_ENOUGH = 0.3   # seconds


@contextlib.contextmanager
def session(user, port, tls=False):
    """A session in TYPE I; what goes wrong in it comes out as one of our own kinds."""
    ftp = ftplib.FTP_TLS(context=INSECURE, timeout=PATIENCE) if tls else ftplib.FTP(timeout=PATIENCE)
    try:
        ftp.connect("127.0.0.1", port)
        ftp.login(user.name, user.password)
        if tls:
            ftp.prot_p()
        ftp.voidcmd("TYPE I")
        yield ftp
    except ftplib.Error as error:
        words = str(error)
        raise Refused(int(words[:3]) if words[:3].isdigit() else 0, words[:200]) from error
    except (OSError, EOFError, AttributeError) as error:
        raise Broken(repr(error)) from error
    finally:
        ftp.close()


def stor(up, at, cut, tls=False):
    """STOR of all, or REST and STOR of what is missing."""
    with session(up.user, up.ports["ftp"], tls) as ftp:
        if at:
            asked = up.journal.now()
            up.told(ftp.size(up.path), "SIZE", asked)
        if up.rng.random() < 0.3 and up.size > at:
            ftp.voidcmd(f"ALLO {up.size - at}")
        return _sends(up, ftp, ftp.transfercmd(f"STOR {up.path}", at or None), at, cut)


def stor_tls(up, at, cut):
    return stor(up, at, cut, True)


def appe(up, at, cut):
    """APPE goes on where the server is: what is sent begins there. Only for what nobody else sends to any more."""
    with session(up.user, up.ports["ftp"]) as ftp:
        if at:
            asked = up.journal.now()
            at = ftp.size(up.path)
            up.told(at, "SIZE", asked)
            if at >= up.size:
                return "piece"
            data = ftp.transfercmd(f"APPE {up.path}")
        else:
            data = ftp.transfercmd(f"STOR {up.path}")
        return _sends(up, ftp, data, at, cut)


def _sends(up, ftp, data, at, cut):
    upto = up.size if cut is None else min(up.size, at + cut.after)
    chunks = range(at, upto, CHUNK)
    pause = up.pace(upto - at) / max(1, len(chunks))
    began = time.monotonic()
    try:
        for begin in chunks:
            data.sendall(up.data[begin:min(begin + CHUNK, upto)])
            time.sleep(pause)
    except OSError:
        cut = None  # the reply says why, if there is one
    if cut is not None:
        _hangs_up(up, ftp, data, cut, began)
    else:
        with contextlib.suppress(OSError):
            if isinstance(data, ssl.SSLSocket):
                data.unwrap()
        data.close()
    asked = up.journal.now()
    try:
        ftp.voidresp()
    except ftplib.Error as error:
        _kept(up, str(error), asked)
        if cut is not None:
            raise Cut from error
        raise
    # After ABOR the first reply is of the transfer, and 226 says that it had ended already.
    return "confirmed"


def _kept(up, words, asked):
    """A reply that says how many bytes are kept has told an offset."""
    before, found, _ = words.partition(" bytes are kept")
    if found and before.split()[-1].isdigit():
        up.told(int(before.split()[-1]), words[:3], asked)


def _hangs_up(up, ftp, data, cut, began):
    cut.linger(None)
    # Not in a transfer that is over at once: see docs/soak.md.
    time.sleep(LONG_ENOUGH)
    how = up.rng.choice(("killed", "control first", "abort", "data reset"))
    if how == "killed" and up.ports is not up.world.ports:
        # Data goes past the link: behind it the end of control would come later than any kernel has it.
        how = "data reset"
    if how == "abort":
        ftp.sock.sendall(b"ABOR\r\n")
        return
    if how == "data reset":
        reset(data)
        return
    # ftplib's file holds the socket open as long as it is open itself.
    ftp.file.close()
    took = time.monotonic() - began
    apart = _close_at_once([data, ftp.sock] if how == "killed" else [ftp.sock, data])
    if how == "killed":
        up.ended_apart(apart, took)
    raise Cut


def _close_at_once(streams):
    """Closes connections in this order and as close together as the kernel does for a process that is killed: in one
    system call. One after the other they would be as far apart as two hundred threads of this process have it. How many
    seconds they can have been apart all the same: a machine with much to do may interrupt that call, too."""
    with CLOSING:
        first = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(streams) - 8
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), first + number, inheritable=False)
        for stream in streams:
            stream.close()
        began = time.monotonic()
        os.closerange(first, first + len(streams))
        return time.monotonic() - began
