"""Never again: an offset that was told holds until somebody begins anew, goes on from an earlier byte, or gives it up.
What lies there is the beginning of what was sent.
"""

from collections import defaultdict

from ..content import digest


# What a client sent before it went is looked at by the server within this time (seconds).
SLACK = 5


class Upload:
    """What was told of one version of one user's at one path, and what may have taken it back."""

    def __init__(self):
        self.told, self.gone, self.writes, self.drops = [], [], [], []

    def taken_back(self, to, since, until):
        """Whether anything can have brought the offset down to `to` in that time. The first of all attempts cannot: it
        is what brought the bytes."""
        def then(op):
            return op.begin <= until and (op.end if op.confirmed else op.end + SLACK) >= since
        return any(op.at <= to and then(op) for op in self.writes[1:]) or any(then(op) for op in self.drops)


def uploads(history):
    found = defaultdict(Upload)
    for event in history.events["told"]:
        found[event["user"], event["path"], event["version"]].told.append(event)
    for event in history.events["gone"]:
        found[event["user"], event["path"], event["version"]].gone.append(event)
    by_path = defaultdict(list)
    for key, upload in found.items():
        by_path[key[1]].append(upload)
    for op in history.of("write"):
        key = op.user, op.path, op.version
        if key in found:
            found[key].writes.append(op)
    for op in history.of("drop", "remove", "rename"):
        for path in {op.path, op.fields.get("to", op.path)}:
            for upload in by_path[path]:
                upload.drops.append(op)
    # Another version of the same user's that was begun there replaces what was unfinished.
    versions = defaultdict(list)
    for op in history.of("write"):
        versions[op.user, op.path].append(op)
    for (user, path, version), upload in found.items():
        upload.drops += [op for op in versions[user, path] if op.version != version]
    return found


def held(history):
    """No offset goes back."""
    for (user, path, version), upload in uploads(history).items():
        best = None
        for event in sorted(upload.told, key=lambda event: event["t"]):
            if best and event["asked"] >= best["t"] and event["offset"] < best["offset"]:
                if not upload.taken_back(event["offset"], best["asked"], event["t"]):
                    yield (f"{user} was told {best['offset']} of {path} version {version} at {best['t']:.3f} "
                           f"({best['by']}), and {event['offset']} at {event['t']:.3f} ({event['by']})")
                best = event
            elif best is None or event["offset"] >= best["offset"]:
                best = event
        yield from _gone(user, path, version, upload)


def _gone(user, path, version, upload):
    for event in upload.gone:
        before = [told for told in upload.told if told["t"] < event["t"] and told["offset"] > 0]
        if not before:
            continue
        since = before[-1]
        if upload.taken_back(0, since["asked"], event["t"]):
            continue
        yield (f"{user} was told {since['offset']} of {path} version {version} at {since['t']:.3f} ({since['by']}), "
               f"and nothing was there at {event['t']:.3f}")


def fronts(history, contents):
    """The bytes that are there are the first ones of what was sent."""
    for event in history.events["front"]:
        data = contents.make(event["path"], event["version"], event["size"])
        if digest(data[:event["offset"]]) != event["sha"]:
            yield (f"{event['path']} version {event['version']}: "
                   f"{event['offset']} unfinished bytes are not its first ones")
