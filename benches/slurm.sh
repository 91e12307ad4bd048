#!/bin/bash
# A plan on a Slurm of one node, which this script starts on loopback out of Debian's packages and stops again:
#
#   benches/slurm.sh [KREGRESS]
#
# Four parts with real guests. One of them is cancelled while it runs, another is requeued. In the end no cell of the plan may be
# missing and none may be there twice. Needs slurm-wlm and munge (`sudo apt-get install slurm-wlm munge`), root, as slurmd wants
# it, and what `kregress run` needs. Nothing listens on any other address than 127.0.0.1.
set -eu
kregress=$(realpath "${1:-target/release/kregress}")
# Slurm reads blanks and % in paths in its own way
work=$(mktemp -d /tmp/kregress-slurm.XXXXXX)
chmod 755 "$work"
mkdir "$work"/{state,spool,log,munge}
name=$(hostname -s)
daemons=()
stop() {
    trap - EXIT
    [ -z "${submit:-}" ] || kill "$submit" 2>/dev/null || :
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || :; done
    wait 2>/dev/null || :
    rm -rf "$work"
}
trap stop EXIT
cat >"$work/slurm.conf" <<CONF
ClusterName=loop
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=slurm
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
ReturnToService=2
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdLogFile=$work/log/slurmd.log
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=20
MinJobAge=600
NodeName=$name NodeAddr=127.0.0.1 NodeHostname=$name CPUs=2 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=$name Default=YES MaxTime=INFINITE State=UP
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
CONF
echo CgroupPlugin=autodetect >"$work/cgroup.conf"
export SLURM_CONF=$work/slurm.conf
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 400 "$work/munge/key"
chown -R munge "$work/munge"
chown -R slurm "$work"/{state,log}
runuser -u munge -- /usr/sbin/munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" \
    --pid-file="$work/munge/pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed" 2>/dev/null &
daemons+=($!)
until [ -S "$work/munge/socket" ]; do sleep 0.1; done
/usr/sbin/slurmctld -D >"$work/log/controller" 2>&1 &
daemons+=($!)
/usr/sbin/slurmd -D >"$work/log/node" 2>&1 &
daemons+=($!)
until sinfo --noheader --format=%t 2>/dev/null | grep -q idle; do sleep 0.5; done
echo "Slurm $(sbatch --version | cut -d ' ' -f 2) runs"

plan=(-k 6.12.57,6.12.117 block:: cifs:: ext4:: --attempts 1)
"$kregress" run "${plan[@]}" --dry-run 2>/dev/null | awk '{ print $1 }' | sort >"$work/planned"
"$kregress" submit slurm --parts 4 --poll 1s --output "$work/reports" -- "${plan[@]}" &
submit=$!
round=$work/reports/submit-1/0
# a part has begun when it has a journal
begun() { until compgen -G "$round/$1.$2/*/journal.jsonl" >/dev/null; do sleep 0.2; done; }
until [ -s "$round/job" ]; do sleep 0.2; done
job=$(cat "$round/job")
begun 1 0
scancel "${job}_1"
echo "part 1 was cancelled"
begun 2 0
scontrol requeue "${job}_2"
echo "part 2 was requeued"
# such a job waits for two minutes, unless it is told not to
until compgen -G "$round/2.1/*/journal.jsonl" >/dev/null; do
    scontrol update "JobId=${job}_2" StartTime=now 2>/dev/null || :
    sleep 1
done
code=0
wait "$submit" || code=$?
submit=
python3 - "$(ls -d "$work"/reports/2* | tail -n 1)/journal.jsonl" "$work/planned" "$code" <<'CHECK'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
records = [event for event in events if event["event"] == "cell"]
cells, planned = [f"{cell['test']}@{cell['kernel']}" for cell in records], open(sys.argv[2]).read().split()
missing, twice = set(planned) - set(cells), {c for c in cells if cells.count(c) > 1}
lost = [cell["test"] for cell in records if cell["verdict"] == "lost"]
print(f"{len(planned)} cells planned, {len(cells)} judged, {len(missing)} missing, {len(twice)} twice, {len(lost)} lost; exit code {sys.argv[3]}")
sys.exit(bool(missing or twice or lost))
CHECK
