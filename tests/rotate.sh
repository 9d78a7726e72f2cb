# rotate.sh: worker.log is rotated while a pool writes to it.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init

t "worker.log is copied and emptied while a pool writes to it"
# rotated FILE...: no line of the last pool is missing, torn, or behind NULs
rotated() {
	cat "$@" >rotated.log
	is "$(tr -dc '\000' <rotated.log | wc -c | tr -d ' ')" 0 "NULs"
	is "$(grep -vc '^\[queuectl\] \|^\[Worker [12]\] ' rotated.log)" 0
	for i in $rot; do
		is "$(grep -c "] .*: $i\$\|] .* ${i}[: ]" rotated.log)" 2 "lines of $i"
	done
}
# two jobs, one of each worker, that hold it while the log is rotated
rot_jobs() {
	for i; do
		q enqueue --id "$i" -- sh -c ": >$i.on
		    until [ -e $i.off ]; do sleep 0.03; done" >/dev/null
	done
	for i; do await 10 test -e "$i.on"; done
}
: >"$S/worker.log"
rot='rota1 rota2 rota3 rota4'
q worker start --daemon --count 2
rot_jobs rota1 rota2
cp "$S/worker.log" "$S/worker.log.1"
: >"$S/worker.log"
: >rota1.off
: >rota2.off
await 10 in_state 'done' rota1 rota2
rot_jobs rota3 rota4
ok grep -q 'Processing job rota4' "$S/worker.log"
if command -v logrotate >/dev/null; then
	sed "s,/var/spool/queuectl,$S,; /compress/d" \
	    "$qt_root/contrib/queuectl.logrotate" >logrotate.conf
	run logrotate -f -s "$T/w/logrotate.state" logrotate.conf
	status 0
	is "$(cat "$S/worker.log")" ""
else
	skip "no logrotate"
	cp "$S/worker.log.1" "$S/worker.log.2"
	cp "$S/worker.log" "$S/worker.log.1"
	: >"$S/worker.log"
fi
: >rota3.off
: >rota4.off
await 10 in_state 'done' rota3 rota4
q worker stop 2>/dev/null
rotated "$S/worker.log.2" "$S/worker.log.1" "$S/worker.log"
is "$(tail -n 1 "$S/worker.log")" "[queuectl] stopped"
run q fsck
out_lacks worker.log
rm "$S"/worker.log.?

t "a worker.log that was moved gets the lines until the next start"
q worker start --daemon
mv "$S/worker.log" "$S/worker.old"
q enqueue --id rota5 -- true >/dev/null
await 10 in_state 'done' rota5
q worker stop 2>/dev/null
no test -e "$S/worker.log"
ok grep -q 'completed successfully: rota5' "$S/worker.old"
rm "$S/worker.old"

finish
