#!/bin/sh
# The Job of docs/ci.md against the schemas that Kubernetes publishes, as kubernetes-validate from PyPI carries them, unknown keys
# refused:
#
#   benches/kubernetes_job.sh [VERSION...]
#
# VERSIONs are Kubernetes' own [1.33 to 1.37]. Needs python3 with venv and PyPI; everything is in a temporary folder.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 1.33 1.34 1.35 1.36 1.37
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install kubernetes-validate==1.37.0
awk '/^## /{here = $2 == "Kubernetes"} here && /^```/{inside = /yaml/; next} here && inside' docs/ci.md >"$folder/job.yaml"
for version; do
    "$folder/venv/bin/kubernetes-validate" --strict -k "$version" "$folder/job.yaml" | sed "s|$folder/||"
done
# a check that cannot fail would prove nothing
sed 's/backoffLimitPerIndex/backoffLimitPerIndx/' "$folder/job.yaml" >"$folder/misspelt.yaml"
if "$folder/venv/bin/kubernetes-validate" --strict -k "$1" "$folder/misspelt.yaml" >"$folder/said" 2>&1; then
    echo "a misspelt key was taken"
    exit 1
fi
echo "a misspelt key is refused"
