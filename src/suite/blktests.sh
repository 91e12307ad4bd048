#!/bin/bash
# Runs one test of blktests, which lies in its own folder of the userland: ./check says what came of it.
test=$1
cd "${KREGRESS_COLLECTION:?}" || {
  echo "blind $KREGRESS_COLLECTION is not there" >&3
  exit 1
}
# the host loads what the suite needs, and some tests want to load it themselves, in their own way
for module in null_blk scsi_debug; do
  /sbin/modprobe -q -r "$module"
done
# as systemd does where a kernel has it
/sbin/modprobe -q configfs
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
# what they run on; without one those that need a device make one, or are not run
[ -z "$TEST_DEV" ] || export TEST_DEVS=$TEST_DEV
# how long those may run that run for a time
[ -z "$KREGRESS_SECONDS" ] || export TIMEOUT=$KREGRESS_SECONDS
exec ./check "$test" 3>&-
