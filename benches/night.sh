#!/bin/bash
# A night on many kernels: all tests in one run, and again in four parts one after the other, as four hosts would run them.
#
#   benches/night.sh [KREGRESS [KERNELS [FOLDER]]]
#
# The third part is killed by SIGKILL when thirty of its cells are judged, and its rest made by `-R latest`. The merged run has to
# have every cell of the whole one once; what came out otherwise is printed by `kregress compare`, as a race may show in one of
# them only. Takes an hour and more on two processors without KVM; needs what `kregress run` needs. FOLDER keeps the runs, and what is
# there is not made again.
set -eu
kregress=$(realpath "${1:-target/release/kregress}")
kernels=${2:-each-line}
folder=${3:-$(mktemp -d /tmp/kregress-night.XXXXXX)}
mkdir -p "$folder"
[ -n "${3:-}" ] || trap 'rm -rf "$folder"' EXIT

judged() { cat "$1"/latest/journal.jsonl 2>/dev/null | grep -c '"event":"cell"' || :; }
run() { "$kregress" run --fetch-qemu -o "$folder/$1" "${@:2}" >>"$folder/$1.log" 2>&1 || echo "  exit $?"; }
timed() {
    local begin=$SECONDS
    "$@"
    local seconds=$((SECONDS - begin)) cells
    cells=$(judged "$folder/$2")
    echo "$2: $cells cells in $seconds s, $((cells * 3600 / (seconds > 0 ? seconds : 1))) an hour"
}

[ -e "$folder/whole/latest" ] || timed run whole -k "$kernels"
for part in 1 2 3 4; do
    [ ! -e "$folder/part-$part/latest" ] || continue
    slice=(-k "$kernels" --partition "slice:$part/4" --balance "$folder/whole/latest")
    if [ $part != 3 ]; then
        timed run part-$part "${slice[@]}"
        continue
    fi
    begin=$SECONDS
    "$kregress" run --fetch-qemu -o "$folder/part-3" "${slice[@]}" >>"$folder/part-3.log" 2>&1 &
    until [ "$(judged "$folder/part-3")" -ge 30 ] || ! kill -0 $! 2>/dev/null; do sleep 1; done
    kill -9 $! 2>/dev/null && wait $! 2>/dev/null || :
    echo "part-3: killed after $((SECONDS - begin)) s, $(judged "$folder/part-3") cells judged"
    timed run part-3 -R latest
done
"$kregress" report merge "$folder"/part-[1-4] -o "$folder/merged" >"$folder/merged.log" 2>&1 || echo "merge: exit $?"
grep -E 'missing|overlap|Summary' "$folder/merged.log" || :
"$kregress" compare "$folder/whole/latest" "$folder/merged/latest"
