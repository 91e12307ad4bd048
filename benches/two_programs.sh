#!/bin/bash
# What an attempt that does nothing costs with one build of kregress and with another, in turn:
#
#   benches/two_programs.sh OLD NEW [ROUNDS [KERNEL [ATTEMPTS]]]
#
# In each round OLD and NEW make ATTEMPTS attempts (4) of a test that does nothing, on restored guests and on booted ones,
# and which of them is first changes from round to round. The figures are seconds an attempt: of the processors, those of
# QEMU included, and of the clock. A busy host disturbs both; the processors' time and the smallest values the least.
# Needs what `kregress run` needs.
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
old=$(realpath "$1") new=$(realpath "$2") rounds=${3:-21} kernel=${4:-6.12.117/cloud} attempts=${5:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir suites
cat >suites/bench.yaml <<'SUITE'
suite: bench
summary: a program that does nothing
tests:
  - name: nothing
    summary: nothing is done
    program: {shell: 'true'}
    symptom: {crash: {title: 'never'}}
SUITE
TIMEFORMAT='%R %U %S'
# NAME PROGRAM FLAGS: one line `NAME CLOCK PROCESSORS`, a row for each run whose verdict is good
measure() {
    local name=$1 program=$2
    shift 2
    { time "$program" --suites suites run -o reports -k "$kernel" -j 1 --attempts "$attempts" "$@" >told 2>&1; } 2>took || {
        cat told >&2
        exit 1
    }
    awk -v name="$name" -v n="$attempts" '{ print name, $1 / n, ($2 + $3) / n }' took >>rows
    rm -rf reports
}
for round in $(seq 0 "$rounds"); do
    sides="old new"
    [ $((round % 2)) -eq 0 ] || sides="new old"
    for way in restored booted; do
        flags=
        [ $way = restored ] || flags=--no-snapshot
        for side in $sides; do
            measure "$way-$side" "${!side}" $flags
        done
    done
    # the first one makes what is kept
    [ "$round" -gt 0 ] || rm rows
done
for way in restored booted; do
    for column in 2:clock 3:processors; do
        for side in old new; do
            awk -v name="$way-$side" -v column="${column%:*}" '$1 == name { print $column }' rows | sort -n >"$side.sorted"
        done
        paste -d ' ' old.sorted new.sorted | awk -v what="$way, ${column#*:}" '
            { old[NR] = $1; new[NR] = $2 }
            END {
                m = int((NR + 1) / 2)
                printf "%-22s old %.3f s, new %.3f s, new / old: median %.3f, smallest %.3f\n", what, old[m], new[m], new[m] / old[m], new[1] / old[1]
            }'
    done
done
