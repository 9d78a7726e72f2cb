# signals.sh: signals, masks and limits that somebody else has set.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC3045,SC1091,SC2012,SC2016,SC2034,SC2046,SC2154
. "${0%/*}/lib.sh"

# other_spool NAME: what follows is about a spool of that name.
other_spool() {
	S=$T/$1 QUEUECTL_SPOOL=$T/$1
	spool_init
}

spool_init
t "signals that mean nothing"
pool
q enqueue --id quiet -- sh -c 'echo $PPID >quiet.pid
    until [ -e quiet ]; do sleep 0.03; done' >/dev/null
await 10 test -s quiet.pid
for s in USR1 USR2 ALRM VTALRM PROF PIPE IO PWR WINCH URG XCPU XFSZ QUIT; do
	kill -s $s "$pool" 2>/dev/null
	kill -s $s "$(cat quiet.pid)" 2>/dev/null
done
for s in 34 40 50 64; do
	kill -$s "$pool" 2>/dev/null
	kill -$s "$(cat quiet.pid)" 2>/dev/null
done
nap
no ended "$pool"
: >quiet
await 10 in_state 'done' quiet
is "$(outcomes quiet)" exit=0
stop_pool

t "a job has no mask and no ignored signals of its starter's"
if [ -r /proc/self/status ]; then
	# signals 32 and 33 belong to the C library: they may be ignored
	q enqueue --id mask -- sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status' \
	    >/dev/null
	(trap '' USR1 ALRM QUIT XFSZ TERM; drain)
	run q logs mask
	out_like '^SigBlk:	0{16}$'
	out_like '^SigIgn:	0{7}[01][08]0{7}$'
	q enqueue --id hup -- sh -c 'grep -E "^SigIgn" /proc/self/status' >/dev/null
	(trap '' HUP USR2; drain)
	run q logs hup
	out_like '^SigIgn:	0{7}[01][08]0{6}1$'
else
	skip "masks: no /proc"
fi

t "vfork that is a fork"
# as on some machines, in emulators and under valgrind
if (cd "$qt_root" && ${CC:-cc} $(make -s language) -O0 -Dvfork=fork -o "$T/forks" \
    $(make -s sources)) 2>cc.err; then
	q enqueue --id fork1 --max-retries 1 -- /no/such/program >/dev/null
	q enqueue --id fork2 --max-retries 1 --cwd /no/such/dir -- true >/dev/null
	q enqueue --id fork3 -- true >/dev/null
	"$T/forks" worker start --drain 2>fork.err
	is "$(where fork3)" 'done'
	like "$(outcomes fork1)" '^error=no such program'
	like "$(outcomes fork2)" '^error=cannot enter its directory'
else
	fail "a build with fork" "$(cat cc.err)"
fi

t "ulimit -f: a file at its limit is like a full disk"
awk 'BEGIN { while (n++ < 40000) printf "0123456789abcdef" }' >big
q enqueue --id limit -- sh -c 'trap "" XFSZ; cat big' >/dev/null
(ulimit -f 100; q worker start --drain 2>limit.err)
is "$(where limit)" 'done'
ok grep -q 'output of a job is lost' limit.err
q enqueue --id dies --max-retries 1 -- sh -c 'ulimit -f 1; exec cat big >small' \
    >/dev/null
drain
is "$(outcomes dies)" signal=25 "the default is back in jobs"
awk 'BEGIN { printf "{\"command\":\"true\",\"stdin\":\""
	while (n++ < 40000) printf "0123456789abcdef"
	print "\"}" }' >job.json
before=$(ls "$S/ids" | wc -l)
(ulimit -f 100; q enqueue - <job.json) >out 2>err
is $? 1
is "$(cat out)" ""
is "$(ls "$S/ids" | wc -l)" "$before"

t "ulimit -s: a small stack is enough"
# with a sanitizer it never is
if (ulimit -s 64 && q --version) >/dev/null 2>&1; then
	awk 'BEGIN {
		for (; n < 500; n++) { a = a "["; b = b "]" }
		print "{\"id\":\"deep\",\"command\":\"true\",\"attempts\":" a b "}"
		print "{\"id\":\"shell\",\"command\":\"cat <big | wc -c\"}"
	}' >stack.json
	(
		ulimit -s 64
		q enqueue - <stack.json && q enqueue --id slow-1 -- cat big &&
		    q worker start --drain -c 2 && q status && q fsck &&
		    q list && q show shell && q logs slow-1
	) >out 2>err
	is $? 0
	for id in deep shell slow-1; do is "$(outcomes $id)" exit=0; done
else
	skip "ulimit -s 64: no such shell or no such program"
fi

t "a worker that dies at once again and again is started later and later"
pool
dead=0
newcomer() {
	worker=$(q worker list 2>/dev/null | awk 'NR == 2 { print $3 }')
	[ "${worker:-$dead}" != "$dead" ]
}
for words in 'killed by signal 9' 'next one starts in 2 s' \
    'next one starts in 4 s'; do
	await 10 newcomer
	dead=$worker
	kill -9 "$dead"
	await 10 said "$words"
done
stop_pool

t "streams that somebody else has left non-blocking"
cat >nonblock.c <<'E'
#include <fcntl.h>
#include <unistd.h>
/* nonblock FD CMD...: runs it with a non-blocking FD. */
int
main(int argc, char **argv)
{
	int fd = argc > 2 ? argv[1][0] - '0' : -1;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return 125;
	execvp(argv[2], argv + 2);
	return 126;
}
E
if ${CC:-cc} -o nonblock nonblock.c 2>cc.err; then
	other_spool streams
	# more than a pipe holds; the other end begins late
	awk 'BEGIN { while (n++ < 1000) {
		printf "{\"id\":\"job%04d\",\"command\":\"true ", n
		print "0123456789012345678901234567890123456789\"}" }
	}' >jobs.json
	{ nap; nap; cat jobs.json; } | ./nonblock 0 "$QUEUECTL" enqueue - >ids 2>err
	is "$(wc -l <ids | tr -d ' ')" 1000
	is "$(cat err)" ""
	{ ./nonblock 1 "$QUEUECTL" list --jsonl 2>err; echo $? >status; } |
	    { nap; nap; nap; cat >listed; }
	is "$(cat status) $(wc -l <listed | tr -d ' ')" "0 1000"
	is "$(cat err)" ""
	./nonblock 2 "$QUEUECTL" worker start --drain 2>&1 >/dev/null |
	    { nap; nap; nap; nap; cat >lines; }
	is "$(grep -c "Job completed" lines)" 1000
	no grep -q "dropped" lines
	q enqueue --id loud -- cat big >/dev/null
	drain
	{ ./nonblock 1 "$QUEUECTL" logs loud; echo $? >status; } |
	    { nap; nap; nap; cat >logged; }
	same logged big
	is "$(cat status)" 0
else
	fail "a helper" "$(cat cc.err)"
fi

t "stderr that nobody reads"
mkfifo unread
exec 7<>unread
other_spool unread.s
awk 'BEGIN { while (n++ < 600)
	print "{\"argv\":[\"true\",\"" sprintf("%0150d", n) "\"]}" }' |
    q enqueue - >/dev/null
"$QUEUECTL" worker start --drain -c 3 2>&7 7>&- &
pool=$!
await 30 sh -c "[ \"\$(ls '$S/done' | wc -l)\" -eq 600 ]"
await 10 ended "$pool"
# what comes when somebody reads again says how much is missing
q enqueue --id more -- true >/dev/null
"$QUEUECTL" worker start 2>&7 7>&- &
pool=$!
await 10 in_state 'done' more
cat <unread >heard &
reader=$!
until_ok 10 grep -q "Job completed" heard
q enqueue --id again -- true >/dev/null
await 10 grep -q "lines were dropped here" heard
await 10 grep -q "Processing job again" heard
kill "$pool"
await 10 ended "$pool"
exec 7>&-
kill "$reader" 2>/dev/null

finish
