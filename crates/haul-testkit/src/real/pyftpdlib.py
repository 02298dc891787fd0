"""pyftpdlib over a folder, as the JSON object in the first argument says; tells its port once it listens."""

import json
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
from pyftpdlib.servers import FTPServer

options = json.loads(sys.argv[1])
tls = options["tls"]


def secure():
    """A handler with TLS, explicit or implicit."""
    from OpenSSL import SSL
    from pyftpdlib.handlers import TLS_FTPHandler

    class Implicit(TLS_FTPHandler):
        def handle(self):
            self._prot = True
            self.secure_connection(self.ssl_context)

        def handle_ssl_established(self):
            super().handle()

        def ftp_AUTH(self, line):
            self.respond("503 TLS is there from the beginning.")

    handler = Implicit if tls["when"] == "implicit" else TLS_FTPHandler
    handler.certfile = tls["cert"]
    handler.keyfile = tls["key"]
    handler.tls_control_required = handler.tls_data_required = tls["when"] == "required"
    context = handler.get_ssl_context()
    versions = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
    context.set_min_proto_version(versions[tls["least"]])
    context.set_max_proto_version(versions[tls["most"]])
    return handler


handler = secure() if tls else FTPHandler
if options["rate"]:
    handler.dtp_handler = type("Paced", (ThrottledDTPHandler,), {"read_limit": options["rate"], "write_limit": options["rate"]})
permissions = "elr" if options["read_only"] else "elradfmwMT"
handler.authorizer = DummyAuthorizer()
handler.authorizer.add_user(options["user"], options["password"], options["root"], perm=permissions)
if options["anonymous"]:
    handler.authorizer.add_anonymous(options["root"], perm=permissions)
handler.auth_failed_timeout = 0

server = FTPServer(("127.0.0.1", 0), handler)
# Data connections would count towards max_cons.
server.max_cons_per_ip = options["max_clients"]
print("port %d" % server.address[1], flush=True)
server.serve_forever()
