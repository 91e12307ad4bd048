#!/bin/sh
# junit2html: an error disappears from the matrix where its test case has <skipped> as well.
#
# Package: PyPI junit2html 31.1.4.
# Input: JUnit with a case that has an <error> and a <skipped>: a test whose clean-up failed after it had skipped itself, as the schema permits.
# One expects the worse of both, as in the counts of the suite.
# Seen: --summary-matrix shows the case as untested, and counts one skipped and none failed.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
python3 -m venv venv && venv/bin/pip install -q junit2html==31.1.4 2>/dev/null || { echo "the package is unavailable"; exit 2; }
cat >junit.xml <<'XML'
<testsuites><testsuite name="s" tests="2" failures="0" errors="1" skipped="1"><testcase classname="c" name="fine"/><testcase classname="c" name="both"><error message="m">e</error><skipped message="n"/></testcase></testsuite></testsuites>
XML
venv/bin/junit2html junit.xml --summary-matrix >out 2>&1
cat out
grep -q 'both .*U Untested' out && grep -q 'Skipped *: *1' out && ! grep -q 'Failed' out
