"""wsgidav over a folder, as the JSON object in the first argument says; tells its port once it listens."""

import json
import sys

from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

options = json.loads(sys.argv[1])
user = options["user"]
users = {user: {"password": options["password"]}} if user else True
app = WsgiDAVApp(
    {
        "provider_mapping": {"/": options["root"]},
        "simple_dc": {"user_mapping": {"*": users}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "verbose": 1,
    }
)
server = wsgi.Server(("127.0.0.1", 0), app)
server.prepare()
print("port %d" % server.bind_addr[1], flush=True)
server.serve()
