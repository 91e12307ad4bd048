#!/bin/sh
# junitparser: asking a document for its total changes the figures of its suites.
#
# Package: PyPI junitparser 5.0.3.
# Input: a document whose <testsuites> has no attributes, with one suite that says errors="7" and has one error.
# An attribute of an object that was read from a file is expected to stay what it was read as, whatever else is read.
# Seen: `suite.errors` is 7; after `document.errors` was read, which is 1, `suite.errors` is 1 as well.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install -q junitparser==5.0.3 2>/dev/null || { echo "the package is unavailable"; exit 2; }
cat >"$folder/junit.xml" <<'XML'
<testsuites><testsuite name="s" tests="2" failures="0" errors="7"><testcase classname="s" name="a"/><testcase classname="s" name="b"><error message="m"/></testcase></testsuite></testsuites>
XML
seen=$("$folder/venv/bin/python" - "$folder/junit.xml" <<'PY'
import sys
from junitparser import JUnitXml

document = JUnitXml.fromfile(sys.argv[1])
suite = next(iter(document))
before, total = suite.errors, document.errors
print(before, total, suite.errors)
PY
) || exit 2
echo "junitparser 5.0.3: the suite before, the document, the suite after: $seen"
[ "$seen" = "7 1 1" ]
