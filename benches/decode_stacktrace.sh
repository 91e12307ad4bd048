#!/bin/sh
# The lines of a log by `kregress explain` and by a kernel's scripts/decode_stacktrace.sh, one after the other:
#
#   benches/decode_stacktrace.sh KREGRESS SCRIPT VMLINUX LOG [MODULES]
#
# Prints the seconds of each, their ratio, how many lines with a place are the same, and the others side by side. Needs
# binutils for the script, which is run as it is.
set -eu
if [ $# -lt 4 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
kregress=$1 script=$2 vmlinux=$3 log=$4 modules=${5:-$(dirname "$3")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
now() { date +%s.%N; }
# `func+0x1/0x2 (file:1) [mod]` and `func (file:1 (discriminator 2)) mod` are the same
alike() {
    sed -E 's/\+0x[0-9a-f]+\/0x[0-9a-f]+//g; s/ \(discriminator [0-9]+\)//g; s/\/\.\//\//g; s/[][]//g; s/[[:space:]]+/ /g; s/ $//'
}
a=$(now)
"$kregress" explain --vmlinux "$vmlinux" --debug "$modules" --format log "$log" >"$work/ours" 2>"$work/told"
b=$(now)
bash "$script" "$vmlinux" auto "$modules" <"$log" >"$work/theirs" 2>>"$work/told"
c=$(now)
grep -n '+0x' "$log" | cut -d: -f1 >"$work/places"
alike <"$work/ours" >"$work/a"
alike <"$work/theirs" >"$work/b"
awk -v a="$a" -v b="$b" -v c="$c" '
    FILENAME == ARGV[1] { place[$1] = 1; next }
    FILENAME == ARGV[2] { ours[FNR] = $0; next }
    place[FNR] { all++; if (ours[FNR] == $0) same++; else print "- " ours[FNR] "\n+ " $0 }
    END { printf "kregress %.2f s, script %.2f s: %.0f times as fast; %d of %d lines the same\n",
              b - a, c - b, (c - b) / (b - a), same, all }
' "$work/places" "$work/a" "$work/b"
