"""redbot: asks a server for one URL in many ways (conditions, ranges, codings), and says what it finds.

    python with_redbot.py URL ["Name: value"...]

The fields go with each request. Each note is one line of JSON, as those of with_httplint.py; what was asked besides the
plain request is in `asked`. A URL that cannot be fetched is exit code 1.
"""

import configparser
import json
import sys

import thor
from redbot.resource import HttpResource

config = configparser.ConfigParser()
config.read_dict({"redbot": {"enable_local_access": "True"}})
resource = HttpResource(config["redbot"])
fields = [tuple(field.split(": ", 1)) for field in sys.argv[2:]]
resource.set_request(sys.argv[1], headers=fields)


def tell(notes, **asked):
    for note in notes:
        about = {"level": note.level.name.lower(), "note": type(note).__name__, "about": note.subject}
        print(json.dumps({**about, "text": note.summary, **asked}))
        tell(note.subnotes, **asked)


resource.on("check_done", thor.stop)
resource.check()
thor.run()
if not resource.response.complete:
    why = resource.fetch_error
    print(f"not fetched: {why and (why.desc, why.detail)}", file=sys.stderr)
    sys.exit(1)
tell(resource.response.notes)
for name, check in resource.subreqs.items():
    tell(check.response.notes, asked=name)
