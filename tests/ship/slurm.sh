# slurm.sh: jobs on a Slurm cluster, with contrib/queuectl-srun and by the
# hand-over of queuectl(1).  The cluster is this machine, as one node with two
# CPUs, and all of it is in the test's directory.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2013,SC2016,SC2034,SC2046,SC2086,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/../lib.sh"

for program in munged slurmctld slurmd srun sbatch setsid; do
	if ! PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null; then
		skip "no $program"
		finish
	fi
done
mkdir "$T/bin" && ln -s "$QUEUECTL" "$T/bin/queuectl"
PATH=$T/bin:$qt_root/contrib:$PATH:/usr/sbin:/sbin

# --- the cluster --------------------------------------------------------------

host=$(hostname -s)
port=$((10000 + $$ % 5000 * 2))
SLURM_CONF=$T/slurm/slurm.conf
export SLURM_CONF
mkdir "$T/slurm" "$T/slurm/state" "$T/slurm/spool"
cat >"$SLURM_CONF" <<.
ClusterName=queue
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$T/slurm/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
StateSaveLocation=$T/slurm/state
SlurmdSpoolDir=$T/slurm/spool
SlurmctldPidFile=$T/slurm/slurmctld.pid
SlurmdPidFile=$T/slurm/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
InactiveLimit=5
MessageTimeout=3
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
.

# idle: the node can take jobs, and has none.
idle() { [ "$(sinfo -h -o %t 2>/dev/null)" = idle ]; }
control() {
	slurmctld -D >>"$T/slurm/slurmctld.log" 2>&1 &
	slurmctld=$!
}
# gone: Slurm has ended.
gone() {
	kill $slurmd $slurmctld $munged
	wait
} 2>/dev/null
t "the cluster"
(umask 077 && head -c 1024 /dev/urandom >"$T/slurm/key")
munged -F --force --key-file="$T/slurm/key" --socket="$T/slurm/munge" \
    --pid-file="$T/slurm/munged.pid" --log-file="$T/slurm/munged.log" \
    --seed-file="$T/slurm/seed" >"$T/slurm/munged.out" 2>&1 &
munged=$!
await 10 test -S "$T/slurm/munge"
control
slurmd -D >"$T/slurm/slurmd.log" 2>&1 &
slurmd=$!
if ! await 30 idle; then
	tail -n 5 "$T"/slurm/*.log >&2
	gone
	finish
fi

# --- jobs by the launcher -----------------------------------------------------

spool_init
q config set kill-grace 20

# job ID COMMAND [OPTION...]
job() {
	i=$1 l=$2
	shift 2
	q enqueue --id "$i" --max-retries 1 "$@" --command "$l" >/dev/null
}
slurm_pool() { pool --launcher queuectl-srun "$@"; }
# queued N: Slurm has so many jobs that have not ended; but see orphan.
queued() { [ "$(squeue -h -o %j | grep -cv orphan)" -eq "$1" ]; }
# listed N STATE
listed() { [ "$(squeue -h -t "$2" -o %j | grep -cv orphan)" -eq "$1" ]; }
# A job that must be alone: it writes down whether another one of its id runs.
# It ends when there is a file go.
alone='exec 9>on; flock -n 9 || echo twice >>twice; echo run >>runs
	until [ -e go ]; do sleep 0.05; done'
runs() { [ -e runs ] && [ "$(wc -l <runs)" -eq "$1" ]; }
# log ID TEXT: the log has that line.
log() { ok grep -qx -e "$2" "$S/log/$1.log"; }
# here ID: the pids of all on this side of a job: of its worker, of the launcher,
# and of both processes of srun, one of which would end the job.
here() {
	q worker list | awk -v id="$1" '$5 == id { print $3 }'
	for p in $(grep -lzxF "QUEUECTL_ID=$1" /proc/[0-9]*/environ 2>/dev/null |
	    sed 's,/proc/\([0-9]*\)/.*,\1,'); do
		! grep -qa srun "/proc/$p/cmdline" 2>/dev/null || echo "$p"
	done
}

# lost ID: all of that is killed at once.
lost() {
	pids=$(here $1)
	kill -STOP $pids
	kill -KILL $pids
}

t "SIGKILL of all on this side"
# What is left of it is Slurm's, which ends it after InactiveLimit: seen below.
mkdir orphan
cd orphan || exit
q --spool "$T/other" config set sync none
q --spool "$T/other" enqueue --id orphan --command "$alone" >/dev/null
q --spool "$T/other" worker start --launcher queuectl-srun 2>"$T/other.err" &
other=$!
await 10 runs 1
S=$T/other QUEUECTL_SPOOL=$T/other
lost orphan
S=$T/spool QUEUECTL_SPOOL=$T/spool
cd ..

t "how they end, and what they write"
job e0 'echo out; echo err >&2'
job e3 'exit 3'
job e254 'exit 254'
job e9 'kill -9 $$'
q enqueue --id none --max-retries 1 -- no-such-program >/dev/null
q enqueue --id words -- printf '[%s]' 'a b' '$HOME' '' '*' -n >/dev/null
q enqueue '{"id":"in","command":"cat; echo $QUEUECTL_ID $A; pwd","cwd":"/",
	"stdin":"input\n","env":{"A":"x"}}' >/dev/null
job limit 'squeue -h -o %l -j $SLURM_JOB_ID' --env SLURM_TIMELIMIT=7
run q worker start --drain --count 2 --launcher queuectl-srun
status 0
out_is ""
for i in e0=0 e3=3 e254=254 e9=137 words=0 in=0 limit=0; do
	is "$(outcomes ${i%=*})" "exit=${i#*=}" "$i"
done
like "$(outcomes none)" '^exit=[1-9]'
is "$(sort "$S/log/e0.log")" "err${nl}out"
run q logs words
out_is '[a b][$HOME][][*][-n]'
run q logs in
out_is "input${nl}in x$nl/"
run q logs limit
out_is 7:00

t "a timeout is gentle"
job gentle 'trap "echo bye; exit" TERM; sleep 1000 & wait' --timeout 4
slurm_pool --count 8
await 20 in_state dead gentle
is "$(outcomes gentle)" timeout
log gentle bye
await 10 queued 0

t "a job that does not obey is ended by Slurm, and the next one waits for that"
q config set kill-grace 0.2
job rude 'trap "" TERM; exec 9>on; flock -n 9 || echo twice >>twice
	: >rude; while :; do sleep 0.05; done'
await 10 test -e rude
run q cancel rude
status 0
q enqueue --unique --id rude --command "$alone" >/dev/null
await 10 listed 1 PD
no test -e runs
: >go
await 20 in_state 'done' rude
ok runs 1
no test -e twice
rm go runs
q config set kill-grace 20

t "stop --now"
job s1 "$alone"
await 10 runs 1
run q worker stop --now
status 0
wait $pool
is "$(outcomes s1)" requeued
is "$(where s1)" pending
await 10 queued 0
rm runs
q cancel s1 >/dev/null

t "what a dead host left behind, again"
cd orphan || exit
await 60 runs 2
cd ..
S=$T/other
no test -e orphan/twice
is "$(where orphan)" processing
is "$(outcomes orphan)" lost
: >orphan/go
await 20 in_state 'done' orphan
is "$(outcomes orphan)" "lost exit=0"
S=$T/spool
q --spool "$T/other" worker stop 2>/dev/null
wait $other
await 10 queued 0

t "SIGKILL of a worker: the job runs on, and not again beside that"
slurm_pool
job k1 "$alone"
await 10 runs 1
kill -9 $(here k1 | head -n 1)
await 10 said "was killed by signal 9"
job k2 true
await 20 in_state 'done' k2
is "$(where k1)" processing
ok runs 1
: >go
await 20 in_state 'done' k1
ok runs 2
is "$(outcomes k1)" "lost exit=0"
no test -e twice
rm go runs
stop_pool

t "cancel, while it runs, and while it waits for a CPU"
slurm_pool --count 8
job c1 'sleep 1000'
job c2 'sleep 1000'
await 10 listed 2 R
job c3 'touch c3.ran'
await 10 listed 1 PD
run q cancel c3
status 0
await 10 listed 0 PD
run q cancel c1 c2
status 0
for i in c1 c2 c3; do
	is "$(outcomes $i)" cancelled
done
await 10 queued 0
no test -e c3.ran

t "no controller: nothing is charged, and the job runs when there is one"
job running "$alone"
await 10 runs 1
job hang ': >hang; exec sleep 1000'
await 10 test -e hang
kill $slurmctld
wait $slurmctld 2>/dev/null
job d1 'echo d1'
await 20 grep -q 'Unable to allocate' "$S/log/d1.log"
: >go
is "$(where d1)" processing
is "$(outcomes d1)" ""
run q cancel hang
status 0
is "$(outcomes hang)" cancelled
hanging() { grep -lzxF QUEUECTL_ID=hang /proc/[0-9]*/environ; }
await 10 eval '! hanging'
control
# their ends could not be told to anybody
await 20 scancel --me -t running
await 60 in_state 'done' d1 running
is "$(outcomes d1)" exit=0
is "$(name_attempt "$(name 'done' d1)")" 1
is "$(outcomes running)" exit=0
ok runs 1
log d1 d1
await 60 idle
rm go runs

t "fifty jobs, eight workers"
i=0
while [ $((i += 1)) -le 50 ]; do
	echo '{"command":"echo $QUEUECTL_ID >>fifty"}'
done >fifty.json
began=$(date +%s)
q enqueue - <fifty.json >fifty.ids
all() { [ -e fifty ] && [ "$(wc -l <fifty)" -ge 50 ] && has processing 0; }
await 100 all
took=$(($(date +%s) - began))
is "$(sort fifty)" "$(sort fifty.ids)"
stop_pool
echo "slurm: 50 jobs on 8 workers took $took s" >&2

# --- the hand-over ------------------------------------------------------------

t "the hand-over"
if ! command -v jq >/dev/null; then
	skip "the hand-over: no jq"
	gone
	finish
fi
mkdir "$T/hand" "$T/hand/a b"
cd "$T/hand" || exit
q --spool "$T/spool" purge --state completed,dead '*' >/dev/null
q enqueue --id h1 --cwd "$T/hand/a b" --env 'A=$HOME  x' --command 'pwd
echo "$A"; exit 3' >/dev/null
q enqueue --id h2 -- printf '[%s]' 'a b' '$HOME' '' "it's" >/dev/null
for n in 3 4 5 6; do
	q enqueue --id h$n --command "echo h$n" >/dev/null
done
q enqueue --id later --hold -- true >/dev/null
display 1 'eval "$(sed' >array
display 1 'if sbatch ' >hand-over
ok test -s array -a -s hand-over
run sh ./hand-over
status 0
await 60 queued 0
for n in 1 2 3 4 5 6; do
	await 10 test -e job-$n.log
done
is "$(grep -v slurmstepd job-1.log)" "$T/hand/a b$nl\$HOME  x"
is "$(cat job-2.log)" "[a b][\$HOME][][it's]"
is "$(cat job-3.log job-4.log job-5.log job-6.log | tr '\n' ' ')" "h3 h4 h5 h6 "
is "$(scontrol show job -o | grep -c 'ArrayTaskId=1 .*ExitCode=3:0')" 1
is "$(where later)" held
is "$(count pending)" 0
run q list --state dead --columns id,error
out_is "$(for n in 1 2 3 4 5 6; do printf 'h%s\tcancelled\n' $n; done)"

t "a hand-over that fails"
q enqueue --id f1 -- true >/dev/null
run env SBATCH_PARTITION=none sh ./hand-over
is "$(where f1)" pending

gone
finish
