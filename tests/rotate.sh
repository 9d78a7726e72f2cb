# rotate.sh: worker.log is rotated while a pool writes to it.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2010,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init

# rotated FILE...: no line of the last pool is missing, torn, or behind NULs
rotated() {
	cat "$@" >rotated.log
	is "$(tr -dc '\000' <rotated.log | wc -c | tr -d ' ')" 0 "NULs"
	is "$(grep -vc '^\[queuectl\] \|^\[Worker [12]\] ' rotated.log)" 0
	for i in $rot; do
		is "$(grep -c "] .*: $i\$\|] .* ${i}[: ]" rotated.log)" 2 "lines of $i"
	done
}
# A job in each of the two workers.
rot_jobs() {
	for i; do q enqueue --id "$i" -- true >/dev/null; done
	await 10 in_state 'done' "$@"
}
# Jobs run until their lines are in a new file.
until_new() {
	n=0
	until [ -s "$S/worker.log" ] || [ $((n += 1)) -gt 100 ]; do
		rot="$rot rot$1$n"
		rot_jobs "rot$1$n"
		nap
	done
	ok test -s "$S/worker.log"
}
rot=''
q worker start --daemon --count 2

t "worker.log is moved away"
until_new a
mv "$S/worker.log" "$S/worker.log.1"
until_new b

t "worker.log is removed, or emptied"
rm "$S/worker.log"
until_new c
: >"$S/worker.log"
until_new d

t "logrotate"
if command -v logrotate >/dev/null; then
	rot=''
	rot_jobs e1 e2
	sed "s,/var/spool/queuectl,$S," "$qt_root/contrib/queuectl.logrotate" \
	    >logrotate.conf
	rm -f "$S"/worker.log.?
	run logrotate -f -s "$T/w/logrotate.state" logrotate.conf
	status 0
	ok test -e "$S/worker.log.1"
	until_new f
	q worker stop 2>/dev/null
	rotated "$S/worker.log.1" "$S/worker.log"
else
	skip "no logrotate"
	q worker stop 2>/dev/null
fi
is "$(tail -n 1 "$S/worker.log")" "[queuectl] stopped"

t "nothing is lost when it is moved again and again"
rm -f "$S"/worker.log*
awk 'BEGIN { while (n++ < 1500) print "{\"id\":\"many" n "\",\"argv\":[\"true\"]}" }' |
    q enqueue - >/dev/null
q worker start --daemon --count 2
n=0
until [ "$(ls "$S/done" | grep -c many)" -eq 1500 ] || [ $((n += 1)) -gt 300 ]; do
	mv "$S/worker.log" "$S/worker.log.$n" 2>/dev/null
	nap
done
q worker stop 2>/dev/null
is "$(cat "$S"/worker.log* | grep -c 'Processing job many')" 1500
is "$(cat "$S"/worker.log* | grep -c 'completed successfully: many')" 1500
run q fsck
out_lacks worker.log

finish
