"""httplint: what it says of one answer.

    python with_httplint.py METHOD PATH ["Name: value"...] < ANSWER

The fields are those of the request. ANSWER is what came off the socket: the head with its empty line, and the body as it was sent (chunks and all). Interim
answers before it are judged too. Each note is one line of JSON on standard output: level (good, info, warn, bad), note
(its name), about (which field, or the status), text. What is no HTTP/1.1 answer is exit code 1.
"""

import argparse
import json
import sys
import time

from httplint.cli.http_parser import HttpCliParser, modes
from httplint.message import HttpRequestLinter, HttpResponseLinter
from thor.http.common import Delimiters, States

method, path = sys.argv[1].encode(), sys.argv[2].encode()
fields = [tuple(field.encode().split(b": ", 1)) for field in sys.argv[3:]]
answer = sys.stdin.buffer.read()


def tell(notes):
    for note in notes:
        about = {"level": note.level.name.lower(), "note": type(note).__name__, "about": note.subject}
        print(json.dumps({**about, "text": note.summary}))
        tell(note.subnotes)


class Answers(HttpCliParser):
    """As httplint's own command line, which knows no request and prints for people."""

    whole = False

    def input_start(self, top_line, *rest):
        request = HttpRequestLinter()
        request.process_request_topline(method, path, b"HTTP/1.1")
        request.process_headers(fields)
        request.finish_content(True)
        started = super().input_start(top_line, *rest)
        self.linter.request = request
        self.linter.is_head_response = method == b"HEAD"
        allows_body, is_final = started
        return allows_body and not self.linter.is_head_response, is_final

    def input_end(self, trailers):
        self.linter.finish_content(True, trailers)
        tell(self.linter.notes)
        if not self.linter.status_code_str.startswith("1"):
            self.whole = True
            self._input_state = States.ERROR

    def input_error(self, err, close=True):
        print(f"not an answer: {err.desc}: {err.detail}", file=sys.stderr)
        sys.exit(1)


parser = Answers(argparse.Namespace(mode=modes.RESPONSE), time.time())
parser.handle_input(answer)
if not parser.whole:
    print("the answer is not whole", file=sys.stderr)
    sys.exit(1)
