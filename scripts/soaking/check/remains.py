"""What is left: descriptors and memory once everybody has gone, what lies out of sight, how the server ended, what it
wrote into its log, and whether the soak itself went as it should.
"""

import json
from collections import Counter

# So much more memory than before anybody came a server at rest may have (bytes): caches that are bounded, and what an
# allocator keeps.
MEMORY = 30 << 20
# Descriptors that may be more than before: none.
DESCRIPTORS = 0

# What of the server's problems is what the soak did to it.
EXPECTED = ("everything stays as it was", "No space left on device", "there is no room", "events could not be written",
            "disk is full", "no space left",
            # It was published, and the server was killed before it had forgotten it; what was told is judged elsewhere.
            "the bytes of an unfinished upload are gone; it is forgotten", "changed, but not before a restart")


def leaks(history):
    """Nothing is held on to."""
    before, rest, alone = history.one("baseline"), history.one("rest"), history.one("alone")
    if rest is None or "fds" not in rest or before is None:
        yield "the server was not there at the end"
        return
    if not alone["came"]:
        yield "sessions were left when all clients had gone"
    if rest["fds"] > before["fds"] + DESCRIPTORS:
        more = Counter(_kind(one) for one in rest["open"]) - Counter(_kind(one) for one in before["open"])
        yield f"{rest['fds']} descriptors are open, {before['fds']} were before: {', '.join(sorted(more.elements()))}"
    if rest["rss"] > before["rss"] + MEMORY:
        yield f"{rest['rss'] >> 20} MiB of memory at rest, {before['rss'] >> 20} MiB before"


def _kind(target):
    """What a descriptor leads to, without the number that each socket has."""
    return target.split(":[")[0]


def orphans(history):
    """What lies out of sight belongs to an upload, and goes with it."""
    unfinished, left = history.one("unfinished"), history.one("left over")
    if unfinished is None or unfinished["listed"] is None or left is None or left["listed"] is None:
        yield "the server did not say what is unfinished"
        return
    # What lies in a mount has the mount's mark before its name.
    known = tuple(one["id"] for one in unfinished["listed"])
    for name, size in sorted(unfinished["staging"].items()):
        if not any(one.endswith(name) for one in known):
            yield f"{name} ({size} bytes) lies in staging and belongs to no upload"
    for name, size in sorted(left["staging"].items()):
        yield f"{name} ({size} bytes) lies in staging after all was dropped"
    for one in left["listed"]:
        yield f"{one['path']} of {one['user']} is listed after all was dropped"


def endings(history):
    """A server ends as it was told to, and by nothing else; and it starts again."""
    signalled = None
    for event in history.events["server"]:
        if event["what"] == "signalled":
            signalled = event["signal"]
        elif event["what"] in ("hangs", "not started"):
            yield f"the server {event['what']} at {event['t']:.3f}"
        elif event["what"] == "ended":
            wanted = {"SIGKILL": -9, "SIGTERM": 0}.get(signalled)
            if event["code"] != wanted:
                yield f"the server ended with {event['code']} at {event['t']:.3f}, after {signalled}"
            signalled = None


def log(lines):
    """Nothing in the server's log that nobody thought of."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            if line.strip():
                yield f"the server said: {line.strip()[:200]}"
            continue
        if event["event"] == "problem" and not any(known in event["what"] for known in EXPECTED):
            yield f"the server's log: {event['what'][:200]}"


def soaked(history):
    """The soak did what it is there for: it came to its end, and each kind of client came to one, too."""
    for event in history.events["fault"]:
        yield f"the soak itself failed: {event['what']} ({event['task']})"
    if history.one("end of soak") is None:
        yield "the soak did not come to its end"
    gone = history.one("clients gone")
    if gone and gone["still"]:
        yield f"{gone['still']} clients hung"
    tries, done = {}, {}
    for op in history.of("write", "read"):
        key = op.kind, op.way
        tries[key] = tries.get(key, 0) + 1
        done[key] = done.get(key, 0) + (op.result in ("confirmed", "complete", "found", "piece"))
    for key, count in sorted(tries.items()):
        if count >= 20 and not done[key]:
            yield f"{key[1]} never came to a good end, in {count} attempts to {key[0]}"
