#!/bin/sh
# report_readers.sh KREGRESS: a run of three tests on four kernels, five cells of which are known to fail and one of which
# fails anew, read by the readers of its formats. For each it says whether the new failure stands out. Those of JUnit read
# three documents:
#     after     as kregress writes it
#     before    the same run with test cases named after their tests alone, and known failures as failures
#     flaky     as kregress writes it; of two more cells the first attempt failed, by another crash before the test began and
#               by a guest that was lost, and the second was clean
# and for a reader that compares with an earlier run there is the same one without the new failure. A run that was killed before
# its last two cells is for a reader that takes no document in which an error has no body. At the end the documents meet
# published schemas.
#
# It installs what reads from PyPI and npm, in the versions below, into a folder that is removed again, so that it is no part
# of the tests. The actions and the schemas it takes from GitHub, each at the commit below, and runs the actions from their
# own dist/ or Python, with a token that is none and with the discard port of this machine for GitHub.
#     READERS=DIR   a folder for all of that, which is kept
#     ACTIONS=DIR   a folder with git repositories of the names below, where GitHub is out of reach; what is neither there nor
#                   on GitHub is skipped, with a warning
# The exit code is 1 if something was skipped.
set -eu
unset CDPATH
PYPI='junitparser==5.0.3 junit2html==31.1.4 tap.py==3.2.1 kcidb-io==141 lxml==6.1.3 PyYAML==6.0.4'
TRCLI=trcli==1.15.3 # apart, as it wants an older junitparser
NPM='xunit-viewer@10.6.1 junit-to-ctrf@0.0.14 tap-parser@18.3.4 node@24.21.0'
REPOSITORIES='EnricoMi/publish-unit-test-result-action c9bbcabcaf28c5ce2a9f8b6ee91c62873071b2ce
mikepenz/action-junit-report 305cd1f47a0fbd606dfeacc59048ea5595ea0a96
dorny/test-reporter 29672c52a8220c09bd9f79b5b6cf6315f1763996
jenkinsci/xunit-plugin 8c515de2804b3fd591a3b0f1ff8908a1b1a41887
windyroad/JUnit-Schema cfa434d4b8e102a8f55b8727b552a0063ee9044e
apache/maven-surefire 25ea054860a5c1e5932b360d8aa0a31944c2b841'

kregress=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "${READERS:=$work/readers}"
readers=$(realpath "$READERS")
actions=${ACTIONS:+$(realpath "$ACTIONS")}
code=0
skipped() {
    printf 'SKIPPED: %s\n' "$1" >&2
    code=1
}

# A virtual environment of this name with these packages.
environment() {
    [ ! -e "$readers/$1/complete" ] || return 0
    into=$1
    shift
    # shellcheck disable=SC2086 # words
    python3 -m venv "$readers/$into" && "$readers/$into/bin/pip" -q install "$@" && touch "$readers/$into/complete"
}
# shellcheck disable=SC2086 # a list of words
environment venv $PYPI
environment trcli $TRCLI || skipped "$TRCLI"
# shellcheck disable=SC2086 # a list of words
[ -d "$readers/node_modules/node" ] || (cd "$readers" && npm install --silent --no-save $NPM)
python=$readers/venv/bin/python
node=$readers/node_modules/.bin

# The tree of a repository at its commit.
tree() {
    repository=$1
    commit=$2
    name=${repository#*/}
    [ ! -e "$readers/$name/complete" ] || return 0
    rm -rf "$work/git" "${readers:?}/$name"
    git init -q --bare "$work/git"
    from=https://github.com/$repository
    [ -z "$actions" ] || [ ! -e "$actions/$name" ] || from=$actions/$name
    git --git-dir="$work/git" fetch -q --depth 1 "$from" "$commit" || return 1
    mkdir "$readers/$name"
    git --git-dir="$work/git" archive "$commit" | tar -x -C "$readers/$name"
    touch "$readers/$name/complete"
}
printf '%s\n' "$REPOSITORIES" > "$work/repositories"
while read -r repository commit; do
    tree "$repository" "$commit" || skipped "$repository: no commit $commit from GitHub, nor in ACTIONS"
done < "$work/repositories"
enricomi=$readers/publish-unit-test-result-action
if [ -e "$enricomi/complete" ]; then
    minor=$(python3 -c 'import sys; print("3.%d" % sys.version_info[1])')
    environment enricomi -r "$enricomi/python/requirements-$minor.txt" || skipped "the packages of publish-unit-test-result-action"
fi

cd "$work"
# A run in a folder of its own: `new` has the new failure, `earlier` has not, `flaky` has flaky cells besides, and
# `killed` ends before the last two cells.
make_run() {
    mkdir -p "$1/reports/2026-11-28T14-32-17-53f6"
    "$python" - "$1" "$1/reports/2026-11-28T14-32-17-53f6/journal.jsonl" <<'PYTHON'
import json, sys
of = sys.argv[1]
tests = ["block::elevator-switch-race", "cifs::fsconfig-source-leak", "ext4::mmap-writeback-failure"]
kernels = ["6.12.57", "6.12.117", "6.17.13", "7.2.13"]
known = {(0, 2), (1, 0), (2, 0), (2, 1), (2, 2)}
new = None if of == "earlier" else (0, 3)
crashes, loses = ((0, 1), (1, 1)) if of == "flaky" else (None, None)
symptom = "BUG: unable to handle kernel NULL pointer dereference in elevator_switch"
crash = "WARNING in blk_mq_init_sched"
out = open(sys.argv[2], "w")
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
        if of == "killed" and (x, y) == (1, 3):
            sys.exit()
        fails = (x, y) in known or (x, y) == new
        bad += fails
        verdict = "bad" if fails else "good"
        text = "[    2.7] BUG: kernel NULL pointer dereference\n[    2.7]  elevator_switch+0x71/0x1d0\n"
        # what happens before the test's program begins says nothing about the test, and is tried again
        attempts = [("other", crash, None, "check")] if (x, y) == crashes else []
        attempts += [("lost", None, "the agent did not speak within 60 s", "boot")] if (x, y) == loses else []
        attempts.append((verdict, symptom if fails else None, None, "dose"))
        for attempt, (said, title, reason, phase) in enumerate(attempts, 1):
            report = {"title": title, "type": "WARNING" if title == crash else "NULL-POINTER-DEREFERENCE",
                      "frame": "elevator_switch", "frames": [], "corrupted": False, "line": 41, "text": text}
            say(event="attempt", test=test, kernel=kernel, attempt=attempt, verdict=said, title=title,
                reason=reason, seconds=3.2, boot_seconds=1.1, phase=phase, ending={"how": "complete"},
                program={"started": True, "exit": None, "reports": [], "output": "", "output_bytes": 0}, probes=[],
                blocked=[], diagnoses=[report] if title else [],
                console="attempts/%s@%s/%d/console.log" % (test.replace("::", "__"), kernel, attempt), reproduce=None)
        say(event="cell", test=test, kernel=kernel, release=None, verdict=verdict, title=symptom if fails else None,
            attempts=len(attempts), seconds=3.2 * len(attempts), reason=None,
            **({"known": "known"} if (x, y) in known else {}))
say(event="run-finished", at="2026-11-28T14:34:17Z", seconds=38.4, cancelled=False, bad=bad, good=12 - bad, other=0,
    skip=0, blind=0, lost=0, not_run=0)
PYTHON
}
junit() {
    (cd "$1" && "$kregress" report --junit ../junit.xml --junit-known "$2")
}
former() {
    junit "$1" failure && sed 's/<testcase name="\([^"]*\)\[[^]"]*\]"/<testcase name="\1"/g' junit.xml > "$2"
}
for run in new earlier flaky killed; do make_run $run; done
junit new skipped && mv junit.xml after.xml
junit earlier skipped && mv junit.xml earlier-after.xml
junit flaky skipped && mv junit.xml flaky.xml
junit killed skipped && mv junit.xml killed.xml
former new before.xml
former earlier earlier-before.xml
cp earlier-after.xml earlier-flaky.xml
for format in tap tap14 kcidb json github mail markdown html; do
    (cd new && "$kregress" report --format "$format" > "../out.$format")
done

version() { "$readers/venv/bin/pip" list 2>/dev/null | awk -v name="$1" '$1 == name { print $2 }'; }
npm_version() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$readers/node_modules/$1/package.json"; }
commit_of() { awk -v name="$1" '$1 == name { print substr($2, 1, 7) }' repositories; }
status() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
plain() { sed 's/\x1b\[[0-9;]*m//g; s/<[^>]*>/ /g; s/\&nbsp;/ /g' | tr -s ' '; }
lines() { sed 's/^ *//; s/ *$//' | grep -v '^$' | paste -sd '|' - | sed 's/|/ | /g'; }
say() { printf '%s\n    %s\n' "$1" "$2"; }
# What a reader, a function that takes a document's name, makes of each document.
each() {
    printf '%s\n' "$1"
    for document in after before flaky; do printf '    %-7s %s\n' "$document" "$("$2" "$document")"; done
}

junitparser() {
    "$python" - "$1.xml" <<'PYTHON'
import junitparser, junitparser.xunit2, sys
xml = junitparser.JUnitXml.fromfile(sys.argv[1])
failed = [case.classname + "." + case.name for suite in xml for case in suite if any(isinstance(r, junitparser.Failure) for r in case.result)]
print("%d tests, %d failures, %d errors, %d skipped; failed: %s" % (xml.tests, xml.failures, xml.errors, sum(s.skipped for s in xml), ", ".join(failed)), end="")
xml = junitparser.xunit2.JUnitXml.fromfile(sys.argv[1])
flaky = [case.name for suite in xml for case in suite if case.is_flaky]
print("; is_flaky:", ", ".join(flaky) or "none", end="")
PYTHON
    echo "; verify exits with $(status "$readers/venv/bin/junitparser" verify "$1.xml")"
}
junit2html() {
    "$readers/venv/bin/junit2html" "$1.xml" "$1.junit2html.html"
    plain < "$1.junit2html.html" | grep -o '\[F\].*' | sort | uniq -c | tr -s ' ' | lines
    [ "$1" != flaky ] || ! grep -q 'blk_mq_init_sched\|did not speak' "$1.junit2html.html" || echo "            what the flaky attempts said is in it"
}
matrix() {
    "$readers/venv/bin/junit2html" --summary-matrix "$1.xml" 2>/dev/null > matrix.txt || true
    printf '%s rows: ' "$(grep -c '^ *-.*\[\?.*\(Passed\|Failed\|Skipped\|Untested\)' matrix.txt)"
    grep 'elevator-switch-race' matrix.txt | tr -s ' ' | lines
}
xunit_viewer() {
    "$node/xunit-viewer" -r "$1.xml" -o xunit.html -c 2>/dev/null > xunit.txt || true
    plain < xunit.txt | grep '[✗?].*time=\|[0-9] passed' | lines
}
ctrf() {
    "$node/junit-to-ctrf" "$1.xml" -o ctrf.json >/dev/null
    "$python" - <<'PYTHON'
import json
results = json.load(open("ctrf.json"))["results"]
names = lambda wanted: ", ".join(t["name"] for t in results["tests"] if wanted(t)) or "none"
print(results["summary"]["tests"], "tests,", results["summary"]["failed"], "failed:", names(lambda t: t["status"] == "failed"), end="; ")
print("flaky:", names(lambda t: t.get("flaky")))
PYTHON
}
trcli() {
    "$readers/trcli/bin/python" - "$1.xml" 2> trcli.log <<'PYTHON' || tail -3 trcli.log
import contextlib, io, sys
# what it says while it reads belongs on a terminal
contextlib.redirect_stdout(io.StringIO()).__enter__()
from trcli.cli import Environment
from trcli.readers.junit_xml import JunitParser
environment = Environment()
environment.file = sys.argv[1]
environment.case_matcher = "auto"
cases = [case for suite in JunitParser(environment).parse_file() for section in suite.testsections for case in section.testcases]
name = lambda case: case.custom_automation_id
failed = [name(case) for case in cases if case.result.status_id == 5]
of = {case.result.status_id: sum(c.result.status_id == case.result.status_id for c in cases) for case in cases}
print("%d results of %d cases (automation_id); passed %d, skipped %d, failed %d: %s" % (
    len(cases), len({name(case) for case in cases}), of.get(1, 0), of.get(4, 0), of.get(5, 0), ", ".join(failed)), file=sys.__stdout__)
PYTHON
}
# Its summary beside that of the earlier run, as a comment or a job has it, and the titles of the annotations.
enricomi() {
    (cd "$enricomi/python" && "$readers/enricomi/bin/python" - "$work/$1.xml" "$work/earlier-$1.xml" <<'PYTHON'
import re, sys
import publish
from publish.junit import parse_junit_xml_files, process_junit_xml_elems
from publish.unittestresults import get_stats, get_stats_delta, get_test_results
from publish_test_results import get_conclusion
def read(path, commit):
    return process_junit_xml_elems(parse_junit_xml_files([path], False, False)).with_commit(commit)
parsed = read(sys.argv[1], "a" * 40)
results = get_test_results(parsed, False)
earlier = get_stats(get_test_results(read(sys.argv[2], "b" * 40), False))
delta = get_stats_delta(get_stats(results), earlier, "earlier")
text = re.sub(r"\[([^]]*)\]\([^)]*\"[^)]*\)", r"\1", publish.get_long_summary_md(delta))
lines = [re.sub(r"[\s\u2007-\u200a]+", " ", line).strip() for line in text.splitlines() if re.search("tests|✅|❌|💤|runs", line)]
titles = [note.title for note in publish.get_case_annotations(results.case_results, False)]
print("conclusion %s; %s" % (get_conclusion(parsed, True, True), " / ".join(lines)))
for title in titles:
    print(" " * 12 + "annotation: " + title)
PYTHON
    )
}
# An action's dist/index.js with the inputs that its action.yml has, and these.
action() {
    folder=$1
    shift
    mkdir -p job/temp && : > job/summary.md && : > job/output
    [ -d job/.git ] || git init -q job
    "$python" - "$readers/$folder" "$node/node" "$@" <<'PYTHON'
import os, subprocess, sys, yaml
folder, node, *given = sys.argv[1:]
inputs = {name: str(of["default"]) for name, of in yaml.safe_load(open(folder + "/action.yml"))["inputs"].items() if "default" in of}
inputs = {name: value for name, value in inputs.items() if "${{" not in value}
inputs.update(pair.split("=", 1) for pair in given)
job = os.path.abspath("job")
env = {"PATH": os.environ["PATH"], "HOME": job, "GITHUB_WORKSPACE": job, "GITHUB_REPOSITORY": "owner/name", "GITHUB_SHA": "a" * 40,
       "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "push", "GITHUB_RUN_ID": "1", "RUNNER_TEMP": job + "/temp",
       "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_STEP_SUMMARY": job + "/summary.md", "GITHUB_OUTPUT": job + "/output"}
env.update({"INPUT_" + name.replace(" ", "_").upper(): value for name, value in inputs.items()})
done = subprocess.run([node, folder + "/dist/index.js"], cwd=job, env=env, stdout=open("job/log", "w"), stderr=subprocess.STDOUT)
print(done.returncode, file=open("job/status", "w"))
PYTHON
}
mikepenz() {
    mkdir -p job && cp "$1.xml" job/
    action action-junit-report token=none report_paths="$1.xml" check_name=check annotate_only=true fail_on_failure=true \
        detailed_summary=true flaky_summary=true
    echo "exits with $(cat job/status); $(grep -o '[0-9]* tests run, .*' job/log | head -1)"
    grep '^::error' job/log | sed 's/%0A.*//; s/^/            /'
    grep -o '<table>.*' job/summary.md | sed 's/<\/tr>/\n/g; s/<table>/\n/g' | sed 's/<[^>]*>/ /g' | tr -s ' ' |
        grep -i 'fail\|retr\|elevator' | sed 's/^ */            summary: /'
}
dorny() {
    mkdir -p job && cp "$2.xml" job/
    action test-reporter token=none name=check path="$2.xml" reporter="$1" max-annotations=10
    counts=$(grep -o '[0-9]* passed.*skipped' job/log | head -1)
    echo "exits with $(cat job/status); ${counts:-$(grep '^::error' job/log | tail -1)}"
    plain < job/summary.md | grep '❌\|elevator' | sed 's/(#[^)]*)//; s/^[ \t]*/            summary: /'
}
java_junit() { dorny java-junit "$1"; }
jest_junit() { dorny jest-junit "$1"; }

each "junitparser $(version junitparser)" junitparser
each "junit2html $(version junit2html)" junit2html
each "junit2html --summary-matrix" matrix
each "xunit-viewer $(npm_version xunit-viewer)" xunit_viewer
each "junit-to-ctrf $(npm_version junit-to-ctrf)" ctrf
[ ! -e "$readers/trcli/complete" ] || each "trcli ${TRCLI#*==}, its parser" trcli
[ ! -e "$readers/enricomi/complete" ] || each "EnricoMi/publish-unit-test-result-action $(commit_of EnricoMi/publish-unit-test-result-action)" enricomi
[ ! -e "$readers/action-junit-report/complete" ] || each "mikepenz/action-junit-report $(commit_of mikepenz/action-junit-report)" mikepenz
[ ! -e "$readers/test-reporter/complete" ] || {
    each "dorny/test-reporter $(commit_of dorny/test-reporter), java-junit" java_junit
    each "dorny/test-reporter $(commit_of dorny/test-reporter), jest-junit" jest_junit
    printf '    %-7s %s\n' killed "$(jest_junit killed)"
}

say "prove $(prove --version | sed 's/.*v\([0-9.]*\) and.*/\1/')" "exits with $(status prove --exec cat out.tap): $(prove --exec cat out.tap 2>/dev/null | grep 'Failed test:' | tr -s ' '), which is $(sed -n 's/^not ok \(.*7.2.13\)$/\1/p' out.tap)"
say "tap-parser $(npm_version tap-parser), TAP 14" "$("$node/tap-parser" -f -t < out.tap14 2>/dev/null | grep -m1 '^not ok.*7.2.13' || true)"
say "tap.py $(version tap.py)" "$("$readers/venv/bin/tappy" out.tap 2>&1 | tail -1)"
say "kcidb-io $(version kcidb-io)" "$("$python" - <<'PYTHON'
import json, kcidb_io
document = json.load(open("out.kcidb"))
kcidb_io.schema.LATEST.validate(document)
print("valid;", ", ".join("%s of %s" % (t["path"], t["misc"]["kernel"]) for t in document["tests"] if t["status"] == "FAIL" and not t["misc"].get("known")))
PYTHON
)"
say "GitHub annotations" "$(grep -c '^::error' out.github) error: $(grep '^::error' out.github)"

# What a schema has against a document, each kind of complaint once. Where the schema begins with a test suite, each one is
# a document of its own.
schema() {
    title=$1
    file=$readers/$2
    [ -e "$file" ] || return 0
    printf '%s\n' "$title"
    for document in after flaky killed; do
        "$python" - "$file" "$document.xml" <<'PYTHON' | sed "s/^/    $(printf '%-7s' "$document") /"
import collections, sys
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[1]))
root = etree.parse(sys.argv[2]).getroot()
declared = {element.get("name") for element in etree.parse(sys.argv[1]).getroot().findall("{*}element")}
complaints = collections.Counter()
for part in [root] if root.tag in declared else root:
    # as a document of its own, so that lines and parents are those of the part
    if not schema.validate(etree.fromstring(etree.tostring(part))):
        complaints.update(error.message.split(" Expected is")[0].split(" by the pattern")[0] for error in schema.error_log)
print("valid" if not complaints else "\n".join("%d of: %s" % (n, text) for text, n in complaints.items()))
PYTHON
    done
}
schema "junit-10.xsd of jenkinsci/xunit-plugin $(commit_of jenkinsci/xunit-plugin)" \
    xunit-plugin/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
schema "JUnit.xsd of windyroad/JUnit-Schema $(commit_of windyroad/JUnit-Schema)" JUnit-Schema/JUnit.xsd
schema "surefire-test-report.xsd of apache/maven-surefire $(commit_of apache/maven-surefire) (3.5.6), suite by suite" \
    maven-surefire/maven-surefire-plugin/src/site/resources/xsd/surefire-test-report.xsd
exit $code
