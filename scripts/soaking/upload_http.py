"""The dialects of uploads over HTTP/1.1, each with the means of its own document: plain PUT, PUT with Content-Range, the
IETF's draft, tus with checksums and parts (docs/uploads.md).
"""

import base64
import hashlib

from .upload import Refused

DRAFT = {"Upload-Draft-Interop-Version": "8"}
PARTIAL = {"Content-Type": "application/partial-upload"}
TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = {"Content-Type": "application/offset+octet-stream"}


def _sends(up, method, target, fields, content, cut=None, told=None):
    with up.caller(told) as caller:
        caller.begin(method, target, {**up.authorization, "Content-Length": len(content), **fields})
        caller.send(content, up.pace(len(content)), cut)
        return caller.answer()


def _judge(up, answer, asked, by):
    """What a final answer to content says."""
    if answer.status == 308:
        told = answer.head.get("range", "bytes=0--1").rsplit("-", 1)[1]
        up.told(int(told) + 1 if told.isdigit() else 0, by, asked)
        return "piece"
    # By its path nothing may be unfinished because it is finished: that is no offset.
    if answer.status != 409 or answer.number("upload-offset"):
        up.told(answer.number("upload-offset"), by, asked)
    if answer.status in (200, 201, 204):
        return "confirmed"
    raise Refused(answer.status, answer.body[:200].decode("latin-1"))


def put(up, at, cut):
    """One request with all that is missing."""
    fields = {"Content-Range": f"bytes {at}-{up.size - 1}/{up.size}"} if at else {}
    asked = up.journal.now()
    answer = _sends(up, "PUT", up.target, fields, up.data[at:], cut)
    # A plain PUT that comes to its end has no offset to be told of.
    return _judge(up, answer, asked, "PUT")


def pieces(up, at, cut):
    """Several requests; between them it is asked how far they came."""
    result = "piece"
    step = max(1, (up.size - at) // up.rng.randint(1, 4) + 1)
    while result == "piece" and at < up.size:
        upto = min(at + step, up.size)
        asked = up.journal.now()
        fields = {"Content-Range": f"bytes {at}-{upto - 1}/{up.size}"}
        last = upto == up.size or up.rng.random() < 0.4
        answer = _sends(up, "PUT", up.target, fields, up.data[at:upto], cut if last else None)
        result = _judge(up, answer, asked, "308")
        if result == "piece" and up.rng.random() < 0.5:
            asked = up.journal.now()
            answer = up.request("PUT", up.target, {"Content-Range": f"bytes */{up.size}"})
            _judge(up, answer, asked, "308 to a question")
        at = upto
    return result


def draft(up, at, cut):
    """One request that hears the upload's URL while it sends, or an empty creation; then PATCH."""
    if at:
        return _patches(up, cut)
    if up.rng.random() < 0.4:
        # Its size is told or is not.
        length = {"Upload-Length": up.size} if up.rng.random() < 0.5 else {}
        answer = up.request("PUT", up.target, {**DRAFT, **length, "Upload-Complete": "?0"})
        if answer.status != 201:
            raise Refused(answer.status, answer.body[:200].decode("latin-1"))
        up.url = answer.head["location"]
        return _patches(up, cut)
    asked = up.journal.now()

    def told(interim):
        up.url = interim.head.get("location", up.url)
        up.told(interim.number("upload-offset"), "104", asked)
    fields = {**up.authorization, **DRAFT, "Upload-Complete": "?1", "Content-Length": up.size}
    with up.caller(told) as caller:
        caller.begin("PUT", up.target, fields)
        if up.size and caller.hear_interim() is None:
            return _judge(up, caller.answer(), asked, "the draft")
        caller.send(up.data, up.pace(up.size), cut)
        return _judge(up, caller.answer(), asked, "the draft")


def _patches(up, cut):
    asked = up.journal.now()
    answer = up.request("HEAD", up.url, DRAFT)
    if answer.status // 100 != 2:
        raise Refused(answer.status, "to HEAD of the upload")
    if answer.head.get("upload-complete") == "?1":
        return "found"
    at = answer.number("upload-offset")
    up.told(at, "HEAD", asked)

    def told(interim):
        up.told(interim.number("upload-offset"), "104", asked)
    step = up.size if up.rng.random() < 0.6 else max(1, up.size // 3)
    while True:
        upto = min(at + step, up.size)
        complete = "?1" if upto == up.size else "?0"
        fields = {**DRAFT, **PARTIAL, "Upload-Offset": at, "Upload-Complete": complete}
        asked = up.journal.now()
        last = upto == up.size or up.rng.random() < 0.4
        answer = _sends(up, "PATCH", up.url, fields, up.data[at:upto], cut if last else None, told)
        result = _judge(up, answer, asked, "PATCH")
        if upto == up.size:
            return result
        at = upto


def _metadata(up):
    return {"Upload-Metadata": "filename " + base64.b64encode(up.path[1:].encode()).decode()}


def tus(up, at, cut):
    """A creation and PATCHes, some of them with a checksum."""
    if not at:
        length = {"Upload-Length": up.size} if up.rng.random() < 0.8 else {"Upload-Defer-Length": 1}
        answer = up.request("POST", "/-/tus", {**TUS, **length, **_metadata(up)})
        if answer.status != 201:
            raise Refused(answer.status, answer.body[:200].decode("latin-1"))
        up.url = answer.head["location"]
        if up.size == 0 and "Upload-Length" in length:
            return "confirmed"
    asked = up.journal.now()
    answer = up.request("HEAD", up.url, TUS)
    if answer.status // 100 != 2:
        raise Refused(answer.status, "to HEAD of the upload")
    at, length = answer.number("upload-offset"), answer.number("upload-length")
    if at == length:
        return "found"
    up.told(at, "HEAD of tus", asked)
    step = up.size if up.rng.random() < 0.5 else 256 << 10
    checked = up.rng.random() < 0.4
    while True:
        upto = min(at + step, up.size)
        piece = up.data[at:upto]
        fields = {**TUS, **OFFSET, "Upload-Offset": at}
        if upto == up.size and length is None:
            fields["Upload-Length"] = up.size
        if checked:
            fields["Upload-Checksum"] = "sha256 " + base64.b64encode(hashlib.sha256(piece).digest()).decode()
        asked = up.journal.now()
        last = upto == up.size or up.rng.random() < 0.2
        answer = _sends(up, "PATCH", up.url, fields, piece, cut if last else None)
        result = _judge(up, answer, asked, "PATCH of tus")
        if upto == up.size:
            return result
        at = upto


def tus_parts(up, _, cut):
    """Parts without a path that are put together at the end; a cut leaves them to whoever drops them."""
    count = up.rng.randint(2, 4)
    bounds = [up.size * number // count for number in range(count + 1)]
    urls = []
    for number, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        fields = {**TUS, "Upload-Concat": "partial", "Upload-Length": end - begin}
        answer = up.request("POST", "/-/tus", fields)
        if answer.status != 201:
            raise Refused(answer.status, answer.body[:200].decode("latin-1"))
        urls.append(answer.head["location"])
        if begin == end:
            continue
        fields = {**TUS, **OFFSET, "Upload-Offset": 0}
        answer = _sends(up, "PATCH", urls[-1], fields, up.data[begin:end], cut if number == count - 1 else None)
        if answer.status != 204:
            raise Refused(answer.status, answer.body[:200].decode("latin-1"))
    fields = {**TUS, **_metadata(up), "Upload-Concat": "final;" + " ".join(urls)}
    answer = up.request("POST", "/-/tus", fields)
    if answer.status != 201:
        raise Refused(answer.status, answer.body[:200].decode("latin-1"))
    return "confirmed"
