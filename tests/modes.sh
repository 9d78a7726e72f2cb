# modes.sh: a spool that others may write to, and the command that repairs it.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

# fs_group DIR: what Kubernetes does to a volume with fsGroup at each start.
fs_group() {
	[ ! "$qt_root_user" ] || chgrp -R 65534 "$1"
	find "$1" -type d -exec chmod g+rwxs {} +
	find "$1" -type f -exec chmod g+rw {} +
}
# repair: runs the command that the last message named.
repair() {
	k=$(printf '%s\n' "$err" | sed -n 's/.*; to repair that: //p')
	like "$k" '^chmod -R go-rwxs '
	ok sh -c "$k"
}

# A spool with jobs in all states, and a pool's log.
make_spool() {
	q config set backoff-base 3600
	q config set sync none
	q enqueue --id good -- echo fine
	q enqueue --id retry --max-retries 2 -- false
	q enqueue --id bad --max-retries 1 -- false
	q worker start --daemon
	q wait good bad
	await 10 in_state failed retry
	q worker stop
	q enqueue --id next -- sh -c 'echo ran >>next'
	q enqueue --id later --delay 3600 -- true
} >/dev/null 2>&1

t "every command refuses a spool of a group, and names the repair"
make_spool
fs_group "$S"
ls -A "$S"/* >before
for c in 'enqueue -- true' 'enqueue --command true' list 'show next' \
    'logs good' status 'status --prometheus' \
    'worker start' 'worker start --daemon' 'worker start --drain' \
    'worker stop' 'worker stop --now' 'worker list' pause resume \
    'dlq list' 'dlq retry --all' 'dlq retry bad' 'dlq purge --all' \
    'cancel next' 'wait next' 'wait --all' purge fsck 'fsck --repair' \
    'config set timeout 1' 'config get' 'config list' 'config unset timeout'; do
	# shellcheck disable=SC2086
	refused 1 "not used as a spool: others may write to it, and so run \
commands as you; to repair that: chmod -R go-rwxs $S" q $c
done
refused 1 'others may write to it' q enqueue '{"command":"true"}'
refused_in 1 'others may write to it' '{"command":"true"}' q enqueue -
ls -A "$S"/* >after
same after before

t "that command, and nothing else: all works, and no job is lost"
repair
is "$(find "$S" -type d ! -perm 0700; find "$S" -type f ! -perm 0600)" ""
run q fsck
status 0
out_is ""
ls -A "$S"/* >after
same after before
is "$(q list --jsonl | wc -l | tr -d ' ')" 5
run q logs good
out_is fine
run q dlq retry bad
status 0
run q config set timeout 10
status 0
q enqueue --id new -- true >/dev/null
run q worker start --daemon
status 0
await 10 in_state 'done' good next new
await 10 in_state dead bad
q worker stop 2>/dev/null
is "$(cat next)" ran
in_state pending later || fail "later in pending/" "$(where later)"
in_state failed retry || fail "retry in failed/" "$(where retry)"

t "while a pool runs, which goes on"
pool
q enqueue --id running -- sh -c 'until [ -e go ]; do sleep 0.03; done' >/dev/null
await 10 in_state processing running
fs_group "$S"
run q status
status 1
repair
: >go
await 10 in_state 'done' running
is "$(outcomes running)" exit=0
stop_pool

t "the directories alone, in a spool that others may enter"
chmod 750 "$S"
run q status
status 0
for d in pending workers log; do
	chmod g+w "$S/$d"
	run q status
	status 1
	repair
	run q status
	status 0
	chmod 750 "$S"
done
chmod 700 "$S"

t "in a spool that is closed, a mode harms nobody; fsck names it"
q enqueue --id one -- true >/dev/null
for f in "$S/config" "$S/pending/"*-one "$S/log/good.log" "$S/worker.log"; do
	chmod g+rw "$f"
	run q list
	status 0
	err_is ""
done
run q fsck
status 1
out_has "config: "
out_like 'pending/.*-one: '
run q fsck --repair
status 0
is "$(q config get timeout)" 10
work one

t "a path that a shell would take apart"
for d in "a b" "it's" '$HOME' 'a;b&c' 'ü*' "new${nl}line" "end$nl" \
    "$(printf '\033[1m%%s\\n\377')"; do
	q --spool "$d" enqueue --id a -- true >/dev/null
	fs_group "$d"
	run q --spool "$d" list
	status 1
	is "$(wc -l <"$T/c/err" | tr -d ' ')" 1 "lines"
	repair
	run q --spool "$d" list
	status 0
	out_has pending
done

t "a path so long that the command would be cut"
d=$T/w
while [ ${#d} -lt 3500 ]; do d=$d/$(printf '%0200d' 0); done
q --spool "$d" enqueue --id a -- true >/dev/null
chmod g+w "$d"
run q --spool "$d" list
status 1
err_has "others may write to it"
no grep -q chmod "$T/c/err"

finish
