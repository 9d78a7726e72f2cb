# messages.sh: a message that says what is wrong says what to do.  Each case
# does what the message says, and it helps.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

# What is named in messages as it is named there.
queuectl() { q "$@"; }
# says TEXT CMD...: it fails, with one line that has the text.
says() {
	qt_tx=$1
	shift
	run "$@"
	status 1
	err_has "$qt_tx"
	is "$(printf '%s\n' "$err" | grep -c .)" 1 "lines"
}
# advice PATTERN: the command that the last message has there, in $k.
advice() {
	k=$(printf '%s\n' "$err" | sed -n "s|.*$1.*|\\1|p")
	like "$k" . "a command"
}
modes=
modes_count && modes=1

# --- jobs ---------------------------------------------------------------------

t "no such job"
spool_init
q enqueue --id known -- true >/dev/null
says "nope: no such job; queuectl list shows the ids" q show nope
run queuectl list
out_has known

t "an ambiguous id: some are named"
q enqueue --id pair1 -- true >/dev/null
q enqueue --id pair2 -- true >/dev/null
says "pair: more than one job's id begins so: " q show pair
err_like 'so: pair[12], pair[12]$'
id=${err##* }
run q show "$id"
status 0
for i in 3 4 5; do q enqueue --id pair$i -- true; done >/dev/null
says "pair: more than one" q cancel pair
err_like 'so: pair[1-5], pair[1-5], pair[1-5], …$'
q cancel 'pair*' >/dev/null
q dlq purge --all >/dev/null

t "the id exists: another, none, or unique"
says 'id "known" exists already; take another, or none, or see unique' \
    q enqueue --id known -- true
advice '\(queuectl help enqueue\)'
run eval "$k"
out_has --unique
run q enqueue --id known --unique -- true
out_is known
run q enqueue -- true
status 0
q cancel "$out" >/dev/null
q dlq purge --all >/dev/null

t "no such parent"
says 'there is no job "mum" to wait for; queuectl list shows' \
    q enqueue --after mum -- true

t "held already; what runs is not held; what has ended"
q hold known >/dev/null
says "known: is held already" q hold known
advice '; \(queuectl release known\) '
run eval "$k"
out_is known
q cancel known >/dev/null
pool
q enqueue --id busy -- sleep 60 >/dev/null
await 10 in_state processing busy
says "busy: cannot be held: it is processing" q hold busy
advice '; \(queuectl cancel busy\) '
run eval "$k"
out_is busy
q enqueue --id fine --wait -- true >/dev/null 2>&1
stop_pool
for id in busy fine; do
	says "$id: has ended already" q cancel $id
	advice '; \(queuectl .*\) removes it'
	run eval "$k"
	out_is $id
	is "$(where $id)" nowhere
done

t "not a dead job; patterns"
q enqueue --id other -- true >/dev/null
says "other: not in the dead letter queue: it is pending" q dlq retry other
advice '; \(queuectl dlq list\) '
run eval "$k"
status 0
out_has known
says "zz*: matches no dead job; queuectl list shows the jobs" q dlq purge 'zz*'
says "zz*: matches no job that has ended; queuectl list" q purge 'zz*'

t "no such attempt"
says "known: there was no attempt 7" q logs --attempt 7 known
advice '; \(queuectl show known\) '
run eval "$k"
status 0

t "damaged text is corrected in place"
q enqueue --id torn -- true >/dev/null
cat "$S/ids/torn" >torn
{ head -n 1 torn; echo nonsense; sed 1d torn; } >"$S/ids/torn"
touch -t 202001010000 "$S/ids/torn"
drain
is "$(where torn)" dead
says "torn: its text is damaged: line 2: " q dlq retry torn
advice '; correct it in \(.*\)'
sed 2d "$k" >torn
cat torn >"$k"
run q dlq retry torn
out_is torn
drain
is "$(where torn)" 'done'

t "a job in use: fuser names the process"
if command -v flock >/dev/null 2>&1 && command -v fuser >/dev/null 2>&1; then
	flock "$S/ids/known" sh -c 'echo $$ >held; exec sleep 60' &
	await 10 test -s held
	says "known: the job is in use: a process of it still runs" \
	    q dlq retry known
	advice '; \(fuser .*\) shows which'
	run eval "$k"
	like " $out " " $(cat held) "
	kill "$(cat held)"
	wait
	run q dlq retry known
	out_is known
else
	skip "a job in use: no flock(1) or fuser(1)"
fi

t "a job that is too large, or has too long a line"
# lines N: a value of N lines, of 50 bytes each.
lines() {
	awk -v n="$1" 'BEGIN { while (i++ < n)
	    printf "# 345678901234567890123456789012345678901234567 \\n" }'
}
{ printf '{"command":"true","stdin":"'; lines 340000; echo '"}'; } >large
{ printf '{"command":"'; lines 2800; echo '"}'; } >long
for f in large long; do
	run sh -c '"$QUEUECTL" enqueue - <"$1"' - $f
	status 1
	err_like ' file$'
	is "$(printf '%s\n' "$err" | grep -c .)" 1 "lines"
done
lines 2800 | sed 's/\\n/\
/g' >text
{ cat text; echo "echo came"; } >script
run q enqueue --id script -- sh "$PWD/script"
status 0
drain
is "$(where script)" 'done'

# --- the spool ----------------------------------------------------------------

t "no worker, paused"
q enqueue --id late -- true >/dev/null
q wait late 2>err &
p=$!
await 10 test -s err
is "$(cat err)" \
    "queuectl: no worker is running; waiting until queuectl worker start"
pool
await 10 ended $p
wait $p
is $? 0 "status of wait"
q pause
q enqueue --id later -- true >/dev/null
q wait later 2>err.paused &
p=$!
await 10 test -s err.paused
is "$(cat err.paused)" "queuectl: the queue is paused; waiting until queuectl resume"
q resume
await 10 ended $p
stop_pool

t "a line of config"
echo nonsense >>"$S/config"
run q list
err_has "config: line 3 is not understood and passed over; correct or remove it"
run q fsck
out_has "config: it is not understood; correct it"
sed 3d "$S/config" >config
cat config >"$S/config"
run q list
err_is ""

t "a directory is missing"
rmdir "$S/workers"
run q worker start --drain
status 1
err_has "workers/"
advice '; \(queuectl fsck --repair\) makes directories'
run eval "$k"
drain
rm -r "$S/log"
mkdir "$S/x" && rmdir "$S/x"
q enqueue --id speaks -- echo word >/dev/null
: >"$T/worker.err"
drain
ok said "output of a job is lost: $S/log/speaks.log: No such file or \
directory; queuectl fsck --repair makes directories"
q fsck --repair >/dev/null
q enqueue --id again -- echo word >/dev/null
drain
is "$(q logs again)" word

t "too few open files"
run sh -c 'ulimit -n 4; exec "$QUEUECTL" list'
status 1
err_like 'Too many open files.*; raise ulimit -n$'

t "a limit on the size of files"
# this shell's own output must not be a file then
err=$( (ulimit -f 0; q enqueue --id big -- true 2>&1) )
like "$err" "File too large; raise ulimit -f\$"
run q enqueue --id big -- true
out_is big

t "min-free"
q config set min-free 100%
says "; make room, or lower min-free with queuectl config set" q enqueue -- true
run q config set min-free 0
run q enqueue -- true
status 0

t "not a spool, and not a directory"
mkdir empty
: >file
says "it is not a spool (it has no pending/); queuectl enqueue makes one of an \
empty directory" q --spool empty list
run q --spool empty enqueue -- true
status 0
run q --spool empty list
status 0
says "not a directory; name another directory with --spool" \
    q --spool file enqueue -- true
ln -s nowhere/at/all dangling
says "; name another directory with --spool" q --spool dangling enqueue -- true

t "the current directory is gone"
mkdir gone
run sh -c 'cd gone && rmdir ../gone && exec "$QUEUECTL" --spool x list'
status 1
err_like '; name the spool by a path that begins with /$'

t "modes: the spool itself, a directory in it"
if [ "$modes" ]; then
	q --spool mode enqueue --id m -- true >/dev/null
	chmod 0 mode
	says "mode: Permission denied; to repair that: chmod 700 " \
	    unprivileged "$QUEUECTL" --spool mode list
	advice '; to repair that: \(chmod .*\)'
	ok eval "$k"
	chmod 500 mode/pending
	says "; queuectl fsck --repair mends modes" \
	    unprivileged "$QUEUECTL" --spool mode enqueue -- true
	run unprivileged "$QUEUECTL" --spool mode fsck --repair
	run unprivileged "$QUEUECTL" --spool mode enqueue -- true
	status 0
	says "; name another directory with --spool" \
	    unprivileged "$QUEUECTL" --spool closed/x enqueue -- true
else
	skip "modes that count: root, and no setpriv"
fi

t "a spool of another user"
if [ "$qt_root_user" ] && setpriv --reuid=65534 true 2>/dev/null; then
	mkdir -m 755 "$T/w/theirs"
	q --spool theirs/spool enqueue --id o1 -- true >/dev/null
	chown -R 65534 theirs
	says "it belongs to another user, whose jobs would run as you; run \
queuectl as user 65534, or name another directory with --spool" \
	    q --spool theirs/spool list
	q --spool root enqueue -- true >/dev/null
	chmod 711 "$T"
	if setpriv --reuid=65534 "$QUEUECTL" --version >/dev/null 2>&1; then
		run setpriv --reuid=65534 "$QUEUECTL" --spool theirs/spool list
		out_has o1
		says "; run queuectl as user 0, or name another directory" \
		    setpriv --reuid=65534 "$QUEUECTL" --spool root list
	else
		skip "a spool of another user: it cannot run the program"
	fi
	chmod 700 "$T"
else
	skip "a spool of another user: not root, or no setpriv"
fi

t "a full disk: purge makes room"
mkdir disk
if [ "$qt_root_user" ] && mount -t tmpfs -o size=64k none disk 2>/dev/null; then
	mounted "$T/w/disk"
	q --spool disk/spool config set min-free 0
	q --spool disk/spool enqueue --id d1 -- \
	    awk 'BEGIN { while (i++ < 400) print "0123456789" }' >/dev/null
	q --spool disk/spool worker start --drain 2>/dev/null
	dd if=/dev/zero of=disk/fill bs=1k count=100 2>/dev/null
	says "; make room, for example with queuectl purge" \
	    q --spool disk/spool enqueue -- true
	advice '; make room, for example with queuectl \(purge .*\)'
	# shellcheck disable=SC2086
	run q --spool disk/spool $k
	out_is d1
	run q --spool disk/spool enqueue -- true
	status 0
	if mount -o remount,ro none disk; then
		says "; mount its file system for writing" \
		    q --spool disk/spool enqueue -- true
		mount -o remount,rw none disk
		run q --spool disk/spool enqueue -- true
		status 0
	fi
else
	skip "a full disk: only root can mount one"
fi

# --- what hands have put there -------------------------------------------------

t "fsck tells what a person can do"
rm -rf "$S"
spool_init
n=5-20260101T000000.000000Z-0
jobfile right true >"$S/pending/$n-wrong"
jobfile taken true >"$S/pending/$n-taken"
q enqueue --id own -- true >/dev/null
jobfile own true | sed /^Id:/d >"$S/pending/$n-own"
mkdir "$S/pending/dir"
ln -s "$T/w/linked" "$S/config.x"
chmod 600 "$S/pending/"*-0-*
run q fsck
status 1
out_has "pending/$n-wrong: its Id: is not the one in its name; correct one of them"
mv "$S/pending/$n-wrong" "$S/pending/$n-right"
out_has "pending/$n-own: its id is another job's; give it one of its own"
mv "$S/pending/$n-own" "$S/pending/$n-mine"
out_has "pending/dir: it is not a job; move it away"
mv "$S/pending/dir" dir
run q fsck --repair
run q fsck
out_is ""
drain
for id in right taken own mine; do is "$(where $id)" 'done' $id; done

t "a job's file that is not ours"
if [ "$qt_root_user" ]; then
	q enqueue --id owned -- true >/dev/null
	chown 65534 "$S/ids/owned"
	run q fsck
	out_like "owned: it does not belong to the spool's owner; chown it\$"
	: >"$T/worker.err"
	drain
	ok said "owned: it does not belong to the spool's owner; chown it"
	chown 0 "$S/ids/owned"
	run q fsck
	out_is ""
	drain
	is "$(where owned)" 'done'
else
	skip "another user's file: not root"
fi

# --- the pool -------------------------------------------------------------------

t "a launcher that cannot be executed"
printf '#!/bin/sh\nexec "$@"\n' >launcher
chmod 600 launcher
says "; it must be a file that can be executed" \
    q worker start --drain --launcher ./launcher
chmod 700 launcher
run q worker start --drain --launcher ./launcher
status 0

t "too many workers for the limit"
run sh -c 'ulimit -n 64; exec "$QUEUECTL" worker start --drain -c 51'
status 1
err_has '; raise ulimit -n, or start fewer'
run sh -c 'ulimit -n 64; exec "$QUEUECTL" worker start --drain -c 2'
status 0

finish
