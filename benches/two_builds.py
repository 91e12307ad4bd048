#!/usr/bin/env python3
"""How long `kregress run` takes with one build of kregress and with another, in turn, and which verdicts differ:

    benches/two_builds.py OLD NEW [--rounds N] [--count attempts] [WORDS OF run...]

OLD and NEW are clones in which `cargo build --release` was done, or `cargo build`; each is run in its own folder, with its own suites, and keeps
what it makes in a cache and a folder of runs of its own below `--work`. The first round fetches kernels, saves guests and shows
each build what its tests take; it is not counted. Then each round runs both, the other one first each time. The last lines are the
medians and their ratio: of the clock, or with `--count attempts` of attempts an hour. Cells that one build lacks are left out of the
comparison and counted. Examples, the sizes that ARCHITECTURE.md speaks of:

    benches/two_builds.py OLD NEW block:: cifs:: ext4::
    benches/two_builds.py OLD NEW --rounds 1 -k 6.1.192,6.12.57
    benches/two_builds.py OLD NEW --rounds 3 --count attempts -s SUITE --attempts 50 -k 6.12.117 bench::second

Exits with 1 where a verdict differs. Needs what `kregress run` needs.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TARGET = "x86_64-unknown-linux-gnu"


def run(side, clone, work, words):
    """One run: seconds, attempts, and the verdict of each cell."""
    home = work / side
    home.mkdir(exist_ok=True)
    # earlier builds named their own target, and so lie in its folder
    folders = [clone / "target" / target / profile for profile in ("release", "debug") for target in ("", TARGET)]
    program = next((folder / "kregress" for folder in folders if (folder / "kregress").exists()), None)
    if program is None:
        sys.exit(f"{side}: no {folders[0]}/kregress; run `cargo build --release` in {clone}")
    command = [str(program), "run", "--message-format", "json", "-o", str(home / "reports")]
    began = time.monotonic()
    done = subprocess.run(
        command + words,
        cwd=clone,
        env=os.environ | {"KREGRESS_CACHE": str(home / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds = time.monotonic() - began
    if done.returncode not in (0, 100, 102):
        sys.exit(f"{side}: exit code {done.returncode}: {done.stderr[-2000:]}")
    cells, attempts = {}, 0
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event["event"] == "cell":
            cells[f"{event['test']} on {event['kernel']}"] = event["verdict"]
            attempts += event.get("attempts") or 0
    return seconds, attempts, cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", choices=["seconds", "attempts"], default="seconds")
    parser.add_argument("--work", type=pathlib.Path)
    asked, words = parser.parse_known_args()
    clones = {"old": asked.old.resolve(), "new": asked.new.resolve()}
    folder = tempfile.TemporaryDirectory() if asked.work is None else None
    work = (asked.work or pathlib.Path(folder.name)).resolve()
    work.mkdir(parents=True, exist_ok=True)
    figures, verdicts = {"old": [], "new": []}, {"old": {}, "new": {}}
    for turn in range(asked.rounds + 1):
        for side in sorted(clones, reverse=turn % 2 == 0):
            seconds, attempts, cells = run(side, clones[side], work, words)
            figure = seconds if asked.count == "seconds" else attempts * 3600 / seconds
            print(f"round {turn}, {side}: {seconds:.1f} s, {attempts} attempts, {len(cells)} cells", flush=True)
            if turn > 0:
                figures[side].append(figure)
            for cell, verdict in cells.items():
                verdicts[side].setdefault(cell, set()).add(verdict)
    both = verdicts["old"].keys() & verdicts["new"].keys()
    only = len(verdicts["old"].keys() ^ verdicts["new"].keys())
    differ = [cell for cell in sorted(both) if verdicts["old"][cell] != verdicts["new"][cell]]
    for cell in differ:
        print(f"{cell}: {', '.join(sorted(verdicts['old'][cell]))} and {', '.join(sorted(verdicts['new'][cell]))}")
    old, new = (statistics.median(figures[side]) for side in ("old", "new"))
    unit = "s" if asked.count == "seconds" else "attempts an hour"
    print(f"{len(both)} cells, {len(differ)} with other verdicts, {only} of one build only")
    print(f"medians of {asked.rounds}: {old:.1f} and {new:.1f} {unit}: {new / old:.2f} times")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
