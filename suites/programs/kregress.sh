# What a shell reproducer needs to speak with kregress: the same as kregress.h gives to C programs.
# Every guest has it beside a shell program: `. ./kregress.sh`.

# Run by hand, without a descriptor 3, the lines go to standard error.
if ! { : >&3; } 2> /dev/null; then exec 3>&2; fi

# Rounds that were really done, for detectors that count per round.
iterations() { echo "iterations $1" >&3; }
# The program saw the bug itself.
symptom() { echo "symptom $*" >&3; }
# Something for the reader of the report; no influence on the verdict.
note() { echo "note $*" >&3; }
# What the test relies upon did not happen: the absence of a symptom would prove nothing.
blind() { echo "blind $*" >&3; exit 1; }
# This kernel or machine lacks what the test is about.
skip() { echo "skip $*" >&3; exit 77; }

# A whole number from the environment, or the given one where the variable is unset: `rounds=$(env_number KREGRESS_ROUNDS 10)`.
env_number() {
	eval "set -- \"$1\" \"$2\" \"\${$1-}\""
	case ${3:-$2} in
	*[!0-9]*) blind "$1 is \"$3\", expected a number" ;;
	*) echo "${3:-$2}" ;;
	esac
}

# Whole seconds of a clock that never goes back.
now() { cut -d. -f1 /proc/uptime; }
