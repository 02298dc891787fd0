"""The verdict: each rule with how much it looked at and what it found, and below it the faults themselves."""

from collections import Counter
from itertools import islice
from pathlib import Path

from ..content import Contents
from . import files, history, offsets, remains

# So many of each rule's faults are listed.
LISTED = 20


def verdicts(found, log, contents):
    """Each rule's name, how much it looked at, and its faults."""
    reads = [op for op in found.of("read") if op.result in ("complete", "absent")]
    told = sum(map(len, (found.events["told"], found.events["gone"])))
    return [
        ("what was fetched was whole, and of its time", len(reads), list(files.looks(found, contents))),
        ("what lies in the tree is whole, and all of it", len(found.events["file"]), list(files.tree(found, contents))),
        ("offsets that were told were kept", told, list(offsets.held(found))),
        ("what is unfinished is a beginning of what was sent", len(found.events["front"]),
         list(offsets.fronts(found, contents))),
        ("descriptors and memory come back", len(found.events["sample"]), list(remains.leaks(found))),
        ("nothing is forgotten in staging", len((found.one("unfinished") or {}).get("staging", ())),
         list(remains.orphans(found))),
        ("the server ends only as it is told to", len(found.events["server"]), list(remains.endings(found))),
        ("the server's log", len(log), list(remains.log(log))),
        ("the soak itself", len(found.ops), list(remains.soaked(found))),
    ]


def figures(found, contents):
    """What was done, in a few lines."""
    kinds = Counter((op.kind, op.result) for op in found.of("write", "read", "remove", "rename", "drop"))
    yield ", ".join(f"{count} {kind} {result}" for (kind, result), count in sorted(kinds.items()))
    disturbed = Counter(op.what for op in found.of("disturbance"))
    yield "disturbances: " + ", ".join(f"{count} {what}" for what, count in sorted(disturbed.items()))
    ways = Counter((op.kind, op.way) for op in found.of("write", "read") if op.result in ("confirmed", "complete"))
    for kind in ("write", "read"):
        yield f"{kind}: " + ", ".join(f"{way} {count}" for (of, way), count in sorted(ways.items()) if of == kind)
    if found.events["apart"]:
        yield (f"ends of a killed client that came further apart than the server watches: {len(found.events['apart'])}; "
               f"halves of those fetched: {files.halves(found, contents)}")
    samples = found.events["sample"]
    if samples and found.one("rest") and found.one("baseline"):
        most = {name: max(one[name] for one in samples) for name in ("rss", "fds", "threads", "staged", "staged_bytes")}
        before, rest = found.one("baseline"), found.one("rest")
        yield (f"memory {before['rss'] >> 20} MiB before, {most['rss'] >> 20} at most, "
               f"{rest.get('rss', 0) >> 20} at rest; "
               f"descriptors {before['fds']}, {most['fds']}, {rest.get('fds')}; threads at most {most['threads']}; "
               f"unfinished at most {most['staged']} files, {most['staged_bytes'] >> 20} MiB")


def judge(folder):
    """Reads what a soak left in a folder and says what is wrong with it; an exit code."""
    with open(Path(folder) / "journal.jsonl", encoding="utf-8") as lines:
        found = history.read(lines)
    log = (Path(folder) / "server.log").read_text(errors="replace").splitlines()
    soak = found.one("soak")
    contents = Contents(soak["seed"])
    rules = verdicts(found, log, contents)
    print(f"seed {soak['seed']}, {soak['clients']} clients, {soak['seconds']:g} s, disk: {soak['disk']}, "
          f"missing: {', '.join(soak['missing']) or 'nothing'}")
    print("\n".join(figures(found, contents)))
    for name, looked, faults in rules:
        print(f"{'FAULT' if faults else 'ok':5}  {name:52} {looked:7} looked at, {len(faults)} faults")
        for fault in islice(faults, LISTED):
            print(f"       - {fault}")
    return 1 if any(faults for _, _, faults in rules) else 0
