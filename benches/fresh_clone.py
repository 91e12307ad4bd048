#!/usr/bin/env python3
"""From a fresh clone to the matrix, with an earlier revision of kregress and with this one:

    benches/fresh_clone.py OLD [NEW] [WORDS OF run...]

OLD and NEW are revisions of the repository that it is run in, NEW is by default HEAD; without words the matrix is
`block:: cifs:: ext4::`. Each side is cloned into a folder of its own and does what its README's first command does there, with
these words: compiles the command, fetches kernels into an empty cache, runs. Crates are fetched before. Prints the seconds of
compiling and of the rest for each side, the ratios, and the cells whose verdicts differ; exits with 1 where one does.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time


def call(command, folder, **more):
    """A command in a folder: how long it took, and what it printed; ends where it fails."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if done.returncode not in (0, 100, 102):
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - began, done.stdout


def side(revision, folder, words):
    """One side: seconds of compiling, seconds of the rest, and the verdict of each cell."""
    clone = folder / "clone"
    call(["git", "clone", "-q", ".", str(clone)], ".")
    call(["git", "checkout", "-q", revision], clone)
    first = re.search(r"^sh \.ci/prerequisites && cargo (run .*?)-- run", (clone / "README.md").read_text(), re.MULTILINE)
    options = first[1].split()[1:]
    call(["cargo", "fetch", "--locked"], clone)
    compiling, _ = call(["cargo", "build", "--locked", "--bin", "kregress", *options], clone)
    command = ["cargo", "run", "-q", *options, "--", "run", "--message-format", "json", "-o", str(folder / "reports")]
    running, told = call(command + words, clone, env=os.environ | {"KREGRESS_CACHE": str(folder / "cache")})
    cells = [event for event in map(json.loads, told.splitlines()) if event["event"] == "cell"]
    return compiling, running, {f"{cell['test']} on {cell['kernel']}": cell["verdict"] for cell in cells}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new", nargs="?", default="HEAD")
    parser.add_argument("words", nargs="*", default=["block::", "cifs::", "ext4::"])
    asked = parser.parse_args()
    sides = []
    for revision in (asked.old, asked.new):
        with tempfile.TemporaryDirectory() as folder:
            sides.append(side(revision, pathlib.Path(folder), asked.words))
        compiling, running, cells = sides[-1]
        print(f"{revision}: {compiling:.0f} s to compile, {running:.0f} s to fetch and run {len(cells)} cells", flush=True)
    (*old, old_cells), (*new, new_cells) = sides
    differ = [cell for cell in sorted(old_cells) if new_cells.get(cell) != old_cells[cell]]
    for cell in differ:
        print(f"{cell}: {old_cells[cell]} and {new_cells.get(cell)}")
    compiling, running = (b / a for a, b in zip(old, new))
    print(f"compiling {compiling:.2f} times, the rest {running:.2f}, both {sum(new) / sum(old):.2f}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
