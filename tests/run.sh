# run.sh: how a job is run.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# job ID ARG...: enqueues the arguments.
job() {
	i=$1
	shift
	q enqueue --id "$i" --max-retries 1 "$@" >/dev/null
}

spool_init
q config set kill-grace 1 >/dev/null

t "a process group of its own"
job pg -- sh -c 'echo $$; cut -d" " -f5 /proc/$$/stat; echo $PPID
cut -d" " -f5 /proc/$PPID/stat'
drain
if [ -r /proc/self/stat ]; then
	run q logs pg
	is "$(printf '%s\n' "$out" | sed -n 2p)" "$(printf '%s\n' "$out" | sed -n 1p)" \
	    "process group"
	no test "$(printf '%s\n' "$out" | sed -n 2p)" = \
	    "$(printf '%s\n' "$out" | sed -n 4p)"
	is "$(field worker "$(attempt pg 1)")" "$(printf '%s\n' "$out" | sed -n 3p)" \
	    "worker="
else
	skip "process groups: no /proc"
fi

t "what an attempt used, with the processes that it waited for"
job idle -- true
job busy -- sh -c 'sh -c "i=0; while [ \$i -lt 200000 ]; do i=\$((i + 1)); done"; :'
job large --command 'dd if=/dev/zero bs=100000000 count=1 2>/dev/null | wc -c'
job never --timeout 0.1 -- sleep 300
job none -- ./no-such-program
drain
if portable; then
	for i in idle busy large never none; do
		is "$(field user "$(attempt $i 1)")" "" "user= of $i"
	done
	run q show busy --json
	out_lacks maxrss
else
	for i in idle busy large never; do
		like "$(attempt $i 1)" " log=[0-9]+ user=[0-9.]+ sys=[0-9.]+ \
maxrss=[0-9]+ worker=[0-9]+\$"
	done
	within "$(field user "$(attempt idle 1)")" 0 0.1 "user= of idle"
	within "$(field user "$(attempt busy 1)")" 0.02 60 "user= of busy"
	idle=$(field maxrss "$(attempt idle 1)")
	within "$idle" 1 1000000 "maxrss= of idle"
	within "$(field maxrss "$(attempt large 1)")" $((idle + 30000)) 1000000 \
	    "maxrss= of large"
	run q show busy --json
	json_lines
	jis user "$(field user "$(attempt busy 1)")"
	jis sys "$(field sys "$(attempt busy 1)")"
	jis maxrss "$(field maxrss "$(attempt busy 1)")"
	run q show large
	out_like 'exit 0 \([0-9]+\.[0-9]{3} s user, [0-9]+\.[0-9]{3} s system, [0-9]+\.[0-9] MiB\)$'
fi
like "$(attempt none 1)" " log=0 worker=[0-9]+\$" "what never ran"
run q show none
out_lacks " s user"

t "stdin"
echo "the worker's" >stdin
job in1 -- cat
q enqueue '{"id":"in2","command":"cat; echo; cat","stdin":"a\u0001b\n\n x"}' >/dev/null
q enqueue '{"id":"in3","command":"cat","stdin":""}' >/dev/null
awk 'BEGIN { printf "{\"id\":\"in4\",\"command\":\"cat\",\"stdin\":\""
	for (i = 0; i < 300000; i++) printf "%d\\n", i; print "\"}" }' >big
q enqueue - <big >/dev/null
# One that does not read what there is.
sed 's/in4/in5/; s/"cat"/"true"/' big | q enqueue - >/dev/null
q worker start --drain <stdin 2>>"$T/worker.err"
is $? 0
run q logs in1
out_is ""
printf 'a\001b\n\n x\n' >want
run q logs in2
same "$T/c/out" want
run q logs in3
out_is ""
awk 'BEGIN { for (i = 0; i < 300000; i++) print i }' >want
same "$S/log/in4.log" want
ok in_state 'done' in1 in2 in3 in4 in5

t "cwd, environment"
mkdir 'a dir'
job cwd --cwd 'a dir' --env 'A=x y' --env PATH="$PATH" --env QUEUECTL_ID=no -- \
    sh -c 'pwd; echo "$A,$FROM_WORKER,$QUEUECTL_ID,$QUEUECTL_ATTEMPT,$QUEUECTL_SPOOL"'
FROM_WORKER=yes "$QUEUECTL" worker start --drain 2>>"$T/worker.err"
run q logs cwd
out_is "$T/w/a dir
x y,yes,cwd,1,$S"

t "the job's spool is absolute"
job abs --cwd / -- sh -c 'ls "$QUEUECTL_SPOOL/ids/$QUEUECTL_ID"'
q --spool ../spool worker start --drain 2>>"$T/worker.err"
is "$(outcomes abs)" exit=0

t "argv without a shell"
job argv -- printf '[%s]' 'a b' '$HOME' '*' '; exit 1' ''
drain
run q logs argv
out_is '[a b][$HOME][*][; exit 1][]'

t "argv is looked up in PATH, also in the job's"
mkdir bin
printf '#!/bin/sh\necho mine\n' >bin/mycmd
chmod +x bin/mycmd
job path1 --env "PATH=$T/w/bin:$PATH" -- mycmd
job path2 -- bin/mycmd
drain
run q logs path1
out_is mine
run q logs path2
out_is mine

t "what could not be started"
mkdir gone
job gone --cwd gone -- true
rmdir gone
job nodir --cwd "$T/w/stdin" -- true
job noprog --env PATH=/usr/bin:/bin -- no-such-program-here
job noprog2 -- "$T/w/no/such"
cp bin/mycmd noexec
chmod 644 noexec
job noexec -- ./noexec
job isdir -- ./bin
drain
for i in gone nodir noprog noprog2 noexec isdir; do
	is "$(where $i)" dead "$i"
	like "$(attempt $i 1)" "^Attempt: 1 start=.* end=.* error=.* log=0 worker=[0-9]+\$"
	run q show --json $i
	ok json error
done
like "$(attempt gone 1)" "$T/w/gone"
like "$(attempt gone 1)" "[Nn]o such"
like "$(attempt nodir 1)" "[Nn]ot a directory"
like "$(attempt noprog 1)" "no-such-program-here"
like "$(attempt noprog 1)" "[Nn]o such|not found"
like "$(attempt noexec 1)" "[Pp]ermission denied|not executable"
run q show noexec
out_like "permission denied|not executable"
run q list --state dead
out_has noexec

t "exit status and signals"
job st0 -- sh -c 'exit 0'
job st255 -- sh -c 'exit 255'
job sig -- sh -c 'kill -USR1 $$'
job sigkill -- sh -c 'kill -9 $$'
drain
is "$(outcomes st0)" exit=0
is "$(outcomes st255)" exit=255
like "$(outcomes sig)" '^signal=(10|16|30)$'
is "$(outcomes sigkill)" signal=9

t "a job has the default signals"
job pipe -- sh -c 'yes | head -n 1; kill -PIPE $$'
job term -- sh -c 'kill -TERM $$; sleep 1'
drain
is "$(outcomes pipe)" signal=13
is "$(outcomes term)" signal=15

t "a timeout is exact"
# shellcheck disable=SC2329 # exact runs it
time1() {
	job "time1_$1" --timeout 0.4 -- sleep 20
	drain
	took "$(attempt "time1_$1" 1)"
}
exact 0.4 0.45 time1
is "$(outcomes time1_1)" timeout
is "$(where time1_1)" dead

t "a timeout ends the whole group"
job time2 --timeout 0.3 -- sh -c '(sleep 1000; :) & sleep 1000 & echo $!; sleep 1000'
drain
is "$(outcomes time2)" timeout
await 5 none_marked

t "a timeout kills what ignores SIGTERM"
# It blocks without a child: a group's zombies would take the time of whoever
# reaps them.
mkfifo never
# shellcheck disable=SC2329
time3() {
	job "time3_$1" --timeout 0.3 -- sh -c 'trap "" TERM; read x <never'
	drain
	took "$(attempt "time3_$1" 1)"
}
exact 1.3 1.35 time3
is "$(outcomes time3_1)" timeout
await 5 none_marked

t "a timeout lets the job clean up"
job time4 --timeout 0.3 -- sh -c 'trap "echo cleaned; exit 0" TERM
while :; do sleep 0.05; done'
drain
is "$(outcomes time4)" timeout
run q logs time4
out_has cleaned

t "no timeout for what ends in time"
job time5 --timeout 5 -- true
drain
is "$(outcomes time5)" exit=0
within "$(took "$(attempt time5 1)")" 0 4 "seconds"

t "background children do not delay completion"
job bg -- sh -c 'sleep 1000 & echo $! >bg.pid; echo parent'
drain
is "$(where bg)" 'done'
within "$(took "$(attempt bg 1)")" 0 20 "seconds"
ok kill -0 "$(cat bg.pid)"
run q logs bg
out_is parent
kill "$(cat bg.pid)"

t "only 0 to 2 and the lock reach the job"
if [ -d /proc/self/fd ]; then
	job fd -- ls -l /proc/self/fd
	echo secret >secret
	q worker start --drain 2>>"$T/worker.err" 5<secret 7<secret 9<secret
	run q logs fd
	out_lacks secret
	is "$(printf '%s\n' "$out" | grep -c "$S/pr\|$S/pend\|$S/ids")" 1 "the lock"
	# 0, 1, 2, the lock and the directory that ls reads
	is "$(printf '%s\n' "$out" | grep -c -e '->')" 5 "open files"
	job ro -- sh -c 'for f in /proc/$$/fd/*; do case $(readlink $f) in
	*ro) grep flags /proc/$$/fdinfo/${f##*/};; esac; done'
	drain
	run q logs ro
	like "$out" '^flags:.*0$'
else
	skip "open files: no /proc"
fi

t "the user's umask"
job mask -- sh -c 'umask; : >made'
(
	umask 027
	q worker start --drain 2>>"$T/worker.err"
)
run q logs mask
out_like '^0?027$'
like "$(ls -l made)" '^-rw-r-----'

t "the spool stays private with any umask"
(
	umask 0
	q --spool "$T/w/open" enqueue -- true >/dev/null
)
like "$(ls -ld open)" '^drwx------'

t "50 MB on stderr"
job big -- sh -c 'dd if=/dev/zero bs=1048576 count=50 >&2 2>/dev/null'
drain
is "$(outcomes big)" exit=0

t "a job that removes its log, its file, its spool name"
job rmlog -- sh -c 'rm "$QUEUECTL_SPOOL/log/$QUEUECTL_ID.log"; echo x'
job after -- true
drain
is "$(where rmlog)" 'done'
job rmid -- sh -c 'rm "$QUEUECTL_SPOOL/ids/$QUEUECTL_ID"'
drain
is "$(where rmid)" 'done'
job rmself -- sh -c 'rm "$QUEUECTL_SPOOL"/processing/*-rmself'
job after2 -- true
drain
is "$(where after2)" 'done'

finish
