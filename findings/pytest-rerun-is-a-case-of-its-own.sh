#!/bin/sh
# pytest-rerunfailures: a first try that failed is a test case of its own in JUnit, with nothing in it, as one that passed.
#
# Packages: PyPI pytest 9.2.0 and pytest-rerunfailures 16.7.
# Input: a test that fails once and then passes, with --reruns 1 and --junitxml.
# One expects one case, or a second one that says that it failed or was run again.
# Seen: two cases of one name, though tests="1"; the first has no child, which readers take for a pass.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
python3 -m venv venv && venv/bin/pip install -q pytest==9.2.0 pytest-rerunfailures==16.7 2>/dev/null || { echo "the packages are unavailable"; exit 2; }
cat >test_twice.py <<'PY'
import pathlib

def test_twice():
    seen = pathlib.Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first
PY
venv/bin/python -m pytest -q -p no:cacheprovider --reruns 1 --junitxml=junit.xml >out 2>&1
code=$?
seen=$(venv/bin/python - <<'PY'
import xml.etree.ElementTree as tree

suite = tree.parse("junit.xml").getroot().find("testsuite")
cases = [(case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")]
print(suite.get("tests"), suite.get("failures"), cases)
PY
) || exit 2
echo "exit code $code, tests and failures and cases: $seen"
[ "$code $seen" = "0 1 0 [('test_twice', []), ('test_twice', [])]" ]
