#!/usr/bin/env python3
"""What the kernel's own parser reads in the output of the selftests of a run, beside what kregress read.

    benches/kunit_parse.py RUN KUNIT.PY

RUN is the folder of a run of kselftest or other KTAP programs, KUNIT.PY the file tools/testing/kunit/kunit.py of a kernel's
source. It wants a version line first, which programs of selftests print as `TAP version 13` or not at all: where there is
none, `KTAP version 1` is put in front. Of each attempt a line is printed where the counts of results differ, and a summary
at the end. Needs Python 3.8 or later.
"""
import collections
import json
import pathlib
import re
import resource
import subprocess
import sys

# there are outputs on which the kernel's parser takes all memory that there is, and does not end: seconds, and bytes
PATIENCE = 20
MEMORY = 1 << 30

# words of kunit.py's last line, and of the results in a journal
WORDS = {"passed": "passed", "failed": "failed", "crashed": "crashed", "skipped": "skipped", "errors": "errors"}
OURS = {"passed": "passed", "failed": "failed", "skipped": "skipped", "expected-failure": "failed"}


def kernel_parser(kunit, text):
    """Counts by kunit.py parse, without those that are 0, and its exit code."""
    try:
        done = subprocess.run(
            [sys.executable, kunit, "parse"], input=text, capture_output=True, text=True, cwd=kunit.parents[3],
            timeout=PATIENCE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
    except subprocess.TimeoutExpired:
        return "no answer", None
    last = re.findall(r"Testing complete\. Ran \d+ tests: (.*)", done.stdout)
    counts = {word: int(n) for word, n in re.findall(r"(\w+): (\d+)", last[-1])} if last else {}
    return {WORDS[word]: n for word, n in counts.items() if n and word in WORDS}, done.returncode


def main():
    run, kunit = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    seen, same, without = 0, 0, 0
    for line in (run / "journal.jsonl").open():
        event = json.loads(line)
        program = event.get("program") or {}
        if event["event"] != "attempt" or not program.get("started"):
            continue
        # the record has only its end
        log = run / pathlib.Path(event["console"] or "none").parent / "output.log"
        output = log.read_text(errors="replace") if log.exists() else program.get("output") or ""
        if not re.search(r"^\s*(not )?ok \d+", output, re.M):
            without += 1
            continue
        seen += 1
        if not re.search(r"^(K?TAP) version", output, re.M):
            output = "KTAP version 1\n" + output
        theirs, code = kernel_parser(kunit, output)
        leaves = leaf_results(program.get("subtests") or [])
        ours = dict(collections.Counter(OURS[result] for result in leaves))
        if ours == theirs:
            same += 1
        else:
            print(f"{event['test']}@{event['kernel']}: {event['verdict']}, here {ours}, kunit.py {theirs}, exit {code}")
    print(f"{seen} attempts with results: {same} read alike; {without} printed none")


def leaf_results(subtests):
    """Results of what has no subtests of its own, which is what kunit.py counts."""
    names = [subtest["name"] for subtest in subtests]
    outer = {name.rsplit(" > ", 1)[0] for name in names if " > " in name}
    return [subtest["result"] for subtest in subtests if subtest["name"] not in outer]


if __name__ == "__main__":
    main()
