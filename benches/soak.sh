#!/bin/sh
# Attempts for hours, on several kernels, restored in one run and booted in another beside it: whether memory, descriptors, scratch
# and snapshot folders stay flat, and whether every attempt that began is in the journal with its result.
#
#   MINUTES=120 benches/soak.sh [KREGRESS]
#
# KREGRESS is the command [target/release/kregress]. MINUTES is how long attempts are begun [120], KERNELS on which kernels, INTERVAL
# the seconds between two samples [30], JOBS the guests of each run at once [1], PLOT the picture [docs/pictures/soak.svg].
# Both runs live as long as all of it, as what leaks shows in a process that lives long. They have a cache of their own, to which the
# kernels of the user's are linked, so that what is in it is theirs. The tests are those of tests/fixtures/guest/ends.yaml that end
# in different ways; what each has to be is known, and another verdict is a failure.
# Ends with 1 where something grows, an attempt is not accounted for, or a verdict is wrong. WORK keeps samples, journals and
# consoles [a temporary folder, which is removed].
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
kregress=${1:-$here/target/release/kregress}
kregress=$(cd "$(dirname "$kregress")" && pwd)/$(basename "$kregress")
minutes=${MINUTES:-120} interval=${INTERVAL:-30} jobs=${JOBS:-1}
kernels=${KERNELS:-6.12.57/cloud,6.12.117/cloud,6.17.13/cloud,7.2.13/cloud}
plot=${PLOT:-$here/docs/pictures/soak.svg}
tests='ends::clean ends::reports-the-symptom ends::crashes ends::crashes-as-described ends::too-few-rounds ends::powers-off'

[ -x "$kregress" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
work=${WORK:-$(mktemp -d)}
mkdir -p "$work/cache"
running=''
tidy() {
    for pid in $running; do kill "$pid" 2>/dev/null || true; done
    [ -n "${WORK:-}" ] || rm -rf "$work"
}
trap tidy EXIT
trap 'exit 130' INT TERM

shared=${KREGRESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kregress}
# `,` divides kernels for every command but this one
"$kregress" kernels fetch $(echo "$kernels" | tr , ' ') --cache "$shared" >/dev/null
for name in kernels userlands; do
    mkdir -p "$shared/$name"
    ln -sfn "$shared/$name" "$work/cache/$name"
done

# shellcheck disable=SC2086 # the tests are words
begin() { # NAME OPTION...
    name=$1
    shift
    env -u KREGRESS_KERNELS KREGRESS_SUITES="$here/tests/fixtures/guest" NO_COLOR=1 \
        "$kregress" run --exact $tests -s ends -k "$kernels" -j "$jobs" --retries 0 --boot-timeout 600s --ignore-known \
        --stress-duration "${minutes}m" --cache "$work/cache" -o "$work/$name" "$@" >"$work/$name.out" 2>&1 &
    running="$running $!"
}

count() { find "$1" -mindepth 1 2>/dev/null | wc -l; }
size() { du -sB1 "$1" 2>/dev/null | cut -f1; }
is_there() { kill -0 "$1" 2>/dev/null; }

begin restored
restored=$!
begin booted --no-snapshot
booted=$!
started=$(date +%s)
printf 'seconds\trun\trss_kib\tdescriptors\tscratch_entries\tscratch_bytes\tsnapshot_entries\tsnapshot_bytes\n' >"$work/samples.tsv"
while is_there $restored || is_there $booted; do
    sleep "$interval" &
    wait $!
    folders=$(for name in scratch snapshots; do
        printf '\t%s\t%s' "$(count "$work/cache/$name")" "$(size "$work/cache/$name")"
    done)
    for run in restored booted; do
        [ $run = restored ] && pid=$restored || pid=$booted
        rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null) || continue
        # one that has just ended has no memory
        [ -z "$rss" ] || printf '%s\t%s\t%s\t%s%s\n' $(($(date +%s) - started)) $run "$rss" \
            "$(ls "/proc/$pid/fd" 2>/dev/null | wc -l)" "$folders" >>"$work/samples.tsv"
    done
done
for run in restored booted; do
    [ $run = restored ] && pid=$restored || pid=$booted
    code=0
    wait "$pid" || code=$?
    # 100: there were failures, which is what they are for
    [ $code = 100 ] || { echo "the $run run ended with $code:" >&2; tail -20 "$work/$run.out" >&2; exit 1; }
done
running=''
left=$(count "$work/cache/scratch")
code=0
python3 "$here/benches/soak.py" "$work/samples.tsv" "$plot" "$work/restored/latest" "$work/booted/latest" || code=1
echo "left in scratch: $left"
[ "$left" = 0 ] || code=1
exit $code
