#!/bin/bash
# Runs one test of xfstests, which lies in its own folder of the userland: ./check says what came of it.
blind() {
  echo "blind $1" >&3
  exit 1
}
test=$1
for variable in FSTYP TEST_DEV SCRATCH_DEV; do
  [ -n "${!variable}" ] || blind "$variable is not set: the machine needs a disk with this \`variable\`"
done
# it does not unpack the file of this name, and finds the other one itself
unset KCONFIG_PATH
export TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch
mkdir -p "$TEST_DIR" "$SCRATCH_MNT"
cd "${KREGRESS_COLLECTION:?}" || blind "$KREGRESS_COLLECTION is not there"
hostname -F /etc/hostname 2> /dev/null
# a blank disk or one that mkfs takes for used: each program has a word of its own for "all the same"
case $FSTYP in
  ext2 | ext3 | ext4) force=-F ;;
  *) force=-f ;;
esac
# shellcheck disable=SC2086 # a list of words
said=$("mkfs.$FSTYP" $force $MKFS_OPTIONS "$TEST_DEV" 2>&1) || blind "mkfs.$FSTYP: $(tail -n 1 <<< "$said")"
# a login has a keyring, by which processes find each other's keys; without one each has its own
session=
command -v keyctl > /dev/null && session='keyctl session -'
# shellcheck disable=SC2086 # none or three words
exec $session ./check "$test" 3>&-
