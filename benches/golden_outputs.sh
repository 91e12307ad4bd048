#!/bin/bash
# Compares what two builds of kregress make of the same journals, byte for byte:
#
#     benches/golden_outputs.sh OLD NEW RUN...
#
# OLD and NEW are programs, a RUN is the folder of a run (its journal.jsonl and its consoles are read). Besides the run
# itself several variants of it are read: without its last event (killed), after every quarter of its lines, with a torn
# last line, as a cancelled run, and with verdicts changed in turn, so that every verdict stands in every place.
# Of each, in both programs: all formats of `report` that both know, the files that `report --write` leaves, `compare` of
# neighbouring variants and of the first two kernels in its formats, `bisect --log`, and `explain` of every console in
# the formats that both know. Standard output, standard error and exit code are compared.
#
# Prints the number of outputs and a diff of those that differ; exit code 0 where none does. KEEP=DIR keeps the outputs.
set -u
old=$(realpath "$1") new=$(realpath "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/old" "$work/new" "$work/runs"
# neither suites nor catalogues of a project decide what a journal says; paths are the same for both
export KREGRESS_CACHE=$work/cache COLUMNS=100 NO_COLOR=1 TZ=UTC

# variant RUN NAME: a copy of a run whose journal is standard input
variant() {
    mkdir -p "$work/runs/$2"
    cp -r "$1/." "$work/runs/$2/" 2>/dev/null
    chmod -R u+w "$work/runs/$2"
    rm -f "$work/runs/$2"/{junit.xml,index.html,bisection.json,backport*,reply.txt}
    cat >"$work/runs/$2/journal.jsonl"
}

number=0
for run in "$@"; do
    journal=$run/journal.jsonl
    lines=$(wc -l <"$journal")
    id=$(printf '%03d' $number)
    number=$((number + 1))
    variant "$run" "$id-whole" <"$journal"
    for quarter in 1 2 3; do
        head -n $((lines * quarter / 4)) "$journal" | variant "$run" "$id-quarter$quarter"
    done
    head -n -1 "$journal" | variant "$run" "$id-killed"
    head -c -20 "$journal" | variant "$run" "$id-torn"
    sed '$s/"cancelled":false/"cancelled":true/' "$journal" | variant "$run" "$id-cancelled"
    # every verdict becomes the next one, five times
    shift_verdicts='s/"verdict":"bad"/"verdict":"@good"/g; s/"verdict":"good"/"verdict":"@other"/g
        s/"verdict":"other"/"verdict":"@skip"/g; s/"verdict":"skip"/"verdict":"@blind"/g
        s/"verdict":"blind"/"verdict":"@lost"/g; s/"verdict":"lost"/"verdict":"@bad"/g; s/"@/"/g'
    cp "$journal" "$work/turned"
    for turn in 1 2 3 4 5; do
        sed -i "$shift_verdicts" "$work/turned"
        variant "$run" "$id-turned$turn" <"$work/turned"
    done
done

# both NAME WORDS...: runs both programs in the folder of the runs
both() {
    local name=$1 side
    shift
    for side in old new; do
        (cd "$work/runs" && "${!side}" "$@" >"$work/$side/$name.out" 2>"$work/$side/$name.err"
            echo "exit $?" >>"$work/$side/$name.err")
    done
}

# formats WORDS...: those that the old program names for a command's --format
formats() {
    (cd "$work/runs" && "$old" "$@" --format x . . 2>&1) | grep -o 'possible values: [^]]*' | sed 's/.*: //; s/,//g'
}

report=$(formats report)
compare=$(formats compare)
explain=$(formats explain)
previous=
for folder in "$work"/runs/*; do
    name=$(basename "$folder")
    for format in $report; do
        both "$name.report.$format" report -o . "./$name" --format "$format"
    done
    for side in old new; do
        (cd "$work/runs" && "${!side}" report -o . "./$name" --write >/dev/null 2>&1)
        for file in junit.xml index.html bisection.json; do
            [ -e "$folder/$file" ] && mv "$folder/$file" "$work/$side/$name.written.$file"
        done
    done
    both "$name.log" bisect -o . --log "./$name"
    kernels=$(grep -o '"kernel":"[^"]*"' "$folder/journal.jsonl" | sort -u | head -n 2 | sed 's/.*:"//; s/"//')
    for format in $compare; do
        [ "$(wc -w <<<"$kernels")" = 2 ] && both "$name.kernels.$format" compare -o . $kernels --run "./$name" --format "$format"
        [ -n "$previous" ] && both "$name.compare.$format" compare -o . "./$previous" "./$name" --format "$format"
    done
    previous=$name
    case $name in *-whole)
        find "$folder" -name '*console*' -type f | sort | while read -r console; do
            for format in $explain; do
                both "$name.$(basename "$(dirname "$console")").$(basename "$console").$format" \
                    explain --format "$format" "${console#"$work/runs/"}"
            done
        done ;;
    esac
done

[ -n "${KEEP:-}" ] && mkdir -p "$KEEP" && cp -r "$work/old" "$work/new" "$KEEP/"
count=$(find "$work/old" -type f | wc -l)
bytes=$(cat "$work"/old/* | wc -c)
echo "$(find "$work/runs" -mindepth 1 -maxdepth 1 | wc -l) journals, $count outputs, $bytes bytes"
differ=$(diff -rq "$work/old" "$work/new" | wc -l)
echo "$differ differ"
[ "$differ" = 0 ] || (cd "$work" && diff -r -U0 old new | cut -c1-300)
[ "$differ" = 0 ]
