#!/bin/sh
# test-results-parser: a suite that counts its errors otherwise than it has them passes fewer tests than none.
#
# Package: npm test-results-parser 0.4.6.
# Input: JUnit with one suite of two test cases, one of them with an error; its attribute says errors="5".
# Either the attribute or the cases may be believed; neither is expected to give a number of tests below zero.
# Seen: passed is -3.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
npm install --silent --no-audit --no-fund test-results-parser@0.4.6 >/dev/null 2>&1 || { echo "the package is unavailable"; exit 2; }
cat >junit.xml <<'XML'
<testsuites name="r"><testsuite name="s" tests="2" failures="0" errors="5"><testcase classname="s" name="a" time="1"/><testcase classname="s" name="b" time="1"><error message="m"/></testcase></testsuite></testsuites>
XML
seen=$(node -e '
const { parse } = require("test-results-parser");
const result = parse({ type: "junit", files: ["junit.xml"] });
const { total, passed, failed, errors, suites } = result;
console.log(JSON.stringify({ total, passed, failed, errors, suite: suites[0].passed }));
') || exit 2
echo "test-results-parser 0.4.6: $seen"
case $seen in *'"passed":-3'*) exit 0 ;; *) exit 1 ;; esac
