#!/bin/sh
# report_readers.sh KREGRESS: a run of three tests on four kernels, five cells of which are known to fail and one of which
# fails anew, read by the readers of its formats. For each it says whether the new failure stands out. It installs
# junitparser, junit2html, tap.py and kcidb-io from PyPI and xunit-viewer, junit-to-ctrf and tap-parser from npm into a
# folder that is removed again, so that it is no part of the tests; READERS names a folder that is kept.
set -eu
kregress=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
readers=${READERS:-$work/readers}
mkdir -p "$readers"
[ -x "$readers/venv/bin/python" ] || {
    python3 -m venv "$readers/venv"
    "$readers/venv/bin/pip" -q install junitparser junit2html tap.py kcidb-io
}
[ -d "$readers/node_modules/xunit-viewer" ] || (cd "$readers" && npm install --silent --no-save xunit-viewer junit-to-ctrf tap-parser)
python=$readers/venv/bin/python
node=$readers/node_modules/.bin

cd "$work"
run=reports/2026-11-28T14-32-17-53f6
mkdir -p "$run"
"$python" - "$run/journal.jsonl" <<'PYTHON'
import json, sys
tests = ["block::elevator-switch-race", "cifs::fsconfig-source-leak", "ext4::mmap-writeback-failure"]
kernels = ["6.12.57", "6.12.117", "6.17.13", "7.2.13"]
known = {(0, 2), (1, 0), (2, 0), (2, 1), (2, 2)}
new = (0, 3)
title = "BUG: unable to handle kernel NULL pointer dereference in elevator_switch"
out = open(sys.argv[1], "w")
say = lambda **fields: print(json.dumps(fields), file=out)
say(event="run-started", schema=1, run="2026-11-28T14-32-17-53f6", kregress="0.1.0", at="2026-11-28T14:32:17Z",
    command=["kregress", "run"], cells=12)
for kernel in kernels:
    for test in tests:
        say(event="planned", test=test, kernel=kernel, release=kernel + "+deb13-cloud-amd64", summary="a race",
            about={"file": "suites/%s.yaml" % test.split("::")[0], "line": 12})
bad = 0
for y, kernel in enumerate(kernels):
    for x, test in enumerate(tests):
        fails = (x, y) in known or (x, y) == new
        bad += fails
        verdict = "bad" if fails else "good"
        text = "[    2.7] BUG: kernel NULL pointer dereference\n[    2.7]  elevator_switch+0x71/0x1d0\n"
        report = {"title": title, "type": "NULL-POINTER-DEREFERENCE", "frame": "elevator_switch", "frames": [],
                  "corrupted": False, "line": 41, "text": text}
        say(event="attempt", test=test, kernel=kernel, attempt=1, verdict=verdict, title=title if fails else None,
            reason=None, seconds=3.2, boot_seconds=1.1, phase="dose", ending={"how": "complete"},
            program={"started": True, "exit": None, "reports": [], "output": "", "output_bytes": 0}, probes=[], blocked=[],
            diagnoses=[report] if fails else [],
            console="attempts/%s@%s/1/console.log" % (test.replace("::", "__"), kernel), reproduce=None)
        say(event="cell", test=test, kernel=kernel, release=None, verdict=verdict, title=title if fails else None,
            attempts=1, seconds=3.2, reason=None, **({"known": "known"} if (x, y) in known else {}))
say(event="run-finished", at="2026-11-28T14:34:17Z", seconds=38.4, cancelled=False, bad=bad, good=12 - bad, other=0,
    skip=0, blind=0, lost=0, not_run=0)
PYTHON
"$kregress" report --junit junit.xml
for format in tap tap14 kcidb json github mail markdown html; do "$kregress" report --format "$format" > "out.$format"; done

versions() { "$readers/venv/bin/pip" list 2>/dev/null | awk -v name="$1" '$1 == name { print $2 }'; }
npm_version() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$readers/node_modules/$1/package.json"; }
new='elevator-switch-race\[7.2.13\]'
code() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
say() { printf '%s\n    %s\n' "$1" "$2"; }

say "junitparser $(versions junitparser)" "$("$python" - <<'PYTHON'
import junitparser
xml = junitparser.JUnitXml.fromfile("junit.xml")
failed = [case.classname + "." + case.name for suite in xml for case in suite if any(isinstance(r, junitparser.Failure) for r in case.result)]
print("%d tests, %d failures, %d errors; failed: %s" % (xml.tests, xml.failures, xml.errors, ", ".join(failed)))
PYTHON
); verify exits with $(code "$readers/venv/bin/junitparser" verify junit.xml)"
"$readers/venv/bin/junit2html" junit.xml junit2html.html
say "junit2html $(versions junit2html)" "$(sed 's/<[^>]*>/ /g' junit2html.html | grep -o '\[F\].*' | sort -u | tr '\n' ' ')"
matrix=$("$readers/venv/bin/junit2html" --summary-matrix junit.xml 2>/dev/null || true)
say "junit2html --summary-matrix" "$(printf '%s' "$matrix" | grep "$new" | head -1)"
"$node/xunit-viewer" -r junit.xml -o xunit.html -c 2>/dev/null > xunit.txt || true
say "xunit-viewer $(npm_version xunit-viewer)" "$(sed 's/\x1b\[[0-9;]*m//g' xunit.txt | grep '✗.*time=\|[0-9] passed' | tr -s ' ' | tr '\n' ' ')"
"$node/junit-to-ctrf" junit.xml -o ctrf.json >/dev/null
say "junit-to-ctrf $(npm_version junit-to-ctrf)" "$("$python" -c 'import json; r = json.load(open("ctrf.json"))["results"]; print(r["summary"]["tests"], "tests,", r["summary"]["failed"], "failed:", [t["name"] for t in r["tests"] if t["status"] == "failed"])')"
say "prove $(prove --version | sed 's/.*v\([0-9.]*\) and.*/\1/')" "exits with $(code prove --exec cat out.tap): $(prove --exec cat out.tap 2>/dev/null | grep 'Failed test:' | tr -s ' '), which is $(sed -n 's/^not ok \(.*7.2.13\)$/\1/p' out.tap)"
say "tap-parser $(npm_version tap-parser), TAP 14" "$("$node/tap-parser" -f -t < out.tap14 2>/dev/null | grep -m1 '^not ok.*7.2.13' || true)"
say "tap.py $(versions tap.py)" "$("$readers/venv/bin/tappy" out.tap 2>&1 | tail -1)"
say "kcidb-io $(versions kcidb-io)" "$("$python" - <<'PYTHON'
import json, kcidb_io
document = json.load(open("out.kcidb"))
kcidb_io.schema.LATEST.validate(document)
print("valid;", ", ".join("%s of %s" % (t["path"], t["misc"]["kernel"]) for t in document["tests"] if t["status"] == "FAIL" and not t["misc"].get("known")))
PYTHON
)"
say "GitHub annotations" "$(grep -c '^::error' out.github) error: $(grep '^::error' out.github)"
xsd=$(find "$readers" -name 'jenkins*.xsd' -o -name 'junit-10.xsd' | head -1)
[ -z "$xsd" ] || say "$xsd" "$(xmllint --noout --schema "$xsd" junit.xml 2>&1 | tail -1)"
