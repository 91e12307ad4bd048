#!/bin/sh
# Makes a queue of real patches with a harmful one and a fix among them, to be judged by `kregress queue`.
#
#   benches/queue_of_a_release.sh REPOSITORY FOLDER
#
# REPOSITORY is what benches/bisect_history.sh makes of Debian's linux-source-6.12 6.12.57 and 6.12.117: one commit a folder
# of what differs, and the fix 9b25f381de6b ("ext4: unmap invalidated folios from page tables"). It gets the tag `queue-base`:
# its `start` without 05703271c3cd ("PCI/IOV: Add PCI rescan-remove locking when enabling/disabling SR-IOV"), which deadlocks
# where a physical function is removed. FOLDER gets the commits from `start` to `fixed` as numbered patches, and that
# one behind the 37th. So
#
#   kregress queue FOLDER --onto REPOSITORY@queue-base --config small+kasan --fetch-qemu
#
# has to name patch 38 for pci::sriov-remove-self-deadlock, to call the fix `fixed`, and to blame nobody else.
set -eu

[ $# = 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd) repository=$(cd "$1" && pwd)
[ ! -e "$2" ] || { echo "$2 is there already" >&2; exit 2; }
mkdir -p "$2"
folder=$(cd "$2" && pwd)

export GIT_AUTHOR_NAME='A Maker' GIT_AUTHOR_EMAIL='maker@example.org'
export GIT_COMMITTER_NAME='A Maker' GIT_COMMITTER_EMAIL='maker@example.org'
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'

tree=$(mktemp -d)
trap 'git -C "$repository" worktree remove --force "$tree/base"; rm -rf "$tree"' EXIT
git -C "$repository" worktree add --quiet --detach "$tree/base" start
cd "$tree/base"
git apply "$here/tests/fixtures/backports/pci-iov-unlock-6.12.57.patch"
git commit --quiet --all -m 'PCI/IOV: without the rescan lock'
git tag --force queue-base > /dev/null
git revert --no-commit HEAD
git commit --quiet -m 'PCI/IOV: take the rescan lock where virtual functions come and go'

git format-patch --quiet --no-signature --output-directory "$folder" start..fixed
# behind all that begin with 0037
git format-patch --stdout --no-signature -1 HEAD > "$folder/0037-zz-planted.patch"
# as a stable queue names the commit that a patch is
for fix in "$folder"/*-ext4-unmap-invalidated-folios*.patch; do
    sed -i '0,/^---$/s//[ Upstream commit 9b25f381de6b8942645f43735cb0a4fb0ab3a6d1 ]\n\n---/' "$fix"
done
echo "$(find "$folder" -name '*.patch' | wc -l) patches in $folder, the harmful one is $(ls "$folder" | grep -n zz-planted | cut -d: -f1)"
