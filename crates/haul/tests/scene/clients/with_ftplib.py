"""python's ftplib. Arguments: get|put HOST PORT USER PASSWORD LOCAL REMOTE FROM STOP [CACERT [VERSION]].

LOCAL and REMOTE may be several names each, with commas between them. The transfer begins at byte FROM, and hangs for ever when STOP bytes (0: none) have gone by."""

import ftplib
import ssl
import sys
import time

verb, host, port, user, password, local, remote, start, stop, *authority = sys.argv[1:]
start, stop = int(start), int(stop)


class Reusing(ftplib.FTP_TLS):
    """As everybody writes it who meets a server that requires session reuse."""

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        return connection, size


def hang():
    while True:
        time.sleep(3600)


class Slow:
    """A file that stops giving."""

    def __init__(self, file):
        self.file, self.gone = file, 0

    def read(self, count):
        if stop and self.gone >= stop:
            hang()
        data = self.file.read(min(count, stop - self.gone) if stop else count)
        self.gone += len(data)
        return data


def secure(cafile, version="both"):
    context = ssl.create_default_context(cafile=cafile)
    if version != "both":
        context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
    return Reusing(context=context)


ftp = secure(*authority) if authority else ftplib.FTP()
ftp.connect(host, int(port), timeout=60)
ftp.login(user, password)
if authority:
    ftp.prot_p()


def put(local, remote):
    with open(local, "rb") as file:
        file.seek(start)
        ftp.storbinary("STOR " + remote, Slow(file), rest=start or None)


def get(local, remote):
    with open(local, "r+b" if start else "wb") as file:
        file.seek(start)
        received = 0

        def take(data):
            nonlocal received
            file.write(data)
            file.flush()
            received += len(data)
            if stop and received >= stop:
                hang()
        ftp.retrbinary("RETR " + remote, take, rest=start or None)


for one, other in zip(local.split(","), remote.split(",")):
    {"get": get, "put": put}[verb](one, other)
ftp.quit()
