#!/bin/sh
# tap-junit: a run that bailed out becomes a document without a failure.
#
# Package: npm tap-junit 5.0.4.
# Input: TAP 13 with a plan of three tests, of which one passed before `Bail out!`.
# TAP says that what bails out has failed as a whole, so one expects a failure or an error in the document, or an exit code.
# Seen: failures="0", no <failure> and no <error>; the two tests that did not run are not there.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
npm install --silent --no-audit --no-fund tap-junit@5.0.4 >/dev/null 2>&1 || { echo "the package is unavailable"; exit 2; }
printf 'TAP version 13\n1..3\nok 1 - first\nBail out! the disk is gone\n' | node_modules/.bin/tap-junit >out.xml
code=$?
cat out.xml
cases=$(grep -o '<testcase' out.xml | wc -l)
failures=$(grep -o 'failures="[0-9]*"' out.xml | head -n 1)
bad=$(grep -cE '<(failure|error)[ >/]' out.xml)
echo "tap-junit 5.0.4: exit code $code, $cases test cases, $failures, lines with a failure or an error: $bad"
[ "$code $cases $failures $bad" = '0 1 failures="0" 0' ]
