"""tuspy: sends one file, or goes on with it where the file of URLs knows it.

    python with_tuspy.py '{"file": PATH, "endpoint": URL, ...}'

Its arguments and what it tells are those of with_tus_js.js, as far as tuspy has them: file, endpoint, chunk, storage,
url, metadata, headers, hold (after the request with which so many bytes are there), retry_delays (its count, and the
first of them), and checksum: an Upload-Checksum goes with each request.
"""

import json
import sys
import time

import requests
from tusclient import client
from tusclient.exceptions import TusCommunicationError
from tusclient.storage import filestorage

wanted = json.loads(sys.argv[1])


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def heard(response, *_, **__):
    request = response.request
    offset = response.headers.get("Upload-Offset")
    tell("response", method=request.method, url=request.url, status=response.status_code, offset=offset)


# tuspy asks by the functions of requests, each of which has a session of its own.
requests.sessions.default_hooks = lambda: {"response": [heard]}


def main():
    storage = filestorage.FileStorage(wanted["storage"]) if "storage" in wanted else None
    delays = wanted.get("retry_delays", [])
    options = {
        "file_path": wanted["file"],
        "url": wanted.get("url"),
        "metadata": wanted.get("metadata", {}),
        "store_url": storage is not None,
        "url_storage": storage,
        "retries": len(delays),
        "retry_delay": delays[0] / 1000 if delays else 0,
        "upload_checksum": wanted.get("checksum", False),
    }
    if "chunk" in wanted:
        options["chunk_size"] = wanted["chunk"]
    uploader = client.TusClient(wanted["endpoint"], wanted.get("headers", {})).uploader(**options)
    if uploader.url:
        tell("resuming", url=uploader.url, offset=uploader.offset)
    else:
        uploader.set_url(uploader.create_url())
        tell("url", url=uploader.url)
    hold = wanted.get("hold", float("inf"))
    while uploader.offset < uploader.get_file_size():
        if uploader.offset >= hold:
            tell("held")
            time.sleep(1e6)
        uploader.upload_chunk()
        tell("accepted", offset=uploader.offset)
    tell("done", url=uploader.url)


try:
    main()
except TusCommunicationError as error:
    body = error.response_content
    body = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    tell("failed", status=error.status_code, message=str(error), body=body)
    sys.exit(1)
