# big.sh: sizes, inodes and times that do not fit into 32 bits.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154
. "${0%/*}/lib.sh"

spool_init
big=2148532224 # it costs time and page cache
# extend FILE: makes it that long; nothing is written.
extend() { dd if=/dev/null of="$1" bs=1048576 seek=$((big / 1048576)) 2>/dev/null; }
size() { ls -l "$1" | awk '{ print $5 }'; }

t "a log of more than 2 GiB"
if extend probe && [ "$(size probe)" = $big ]; then
	rm probe
	q config set log-max none
	q enqueue --id log --max-retries 1 -- sh -c 'echo out; exit 1' >/dev/null
	drain
	extend "$S/log/log.log"
	q dlq retry log >/dev/null
	drain
	is "$(size "$S/log/log.log")" $((big + 4))
	is "$(field log "$(attempt log 2)")" $big "log="
	run q logs --attempt 1 log
	out_is out

	t "its middle is dropped"
	q config set log-max 64K
	q dlq retry log >/dev/null
	drain
	within "$(size "$S/log/log.log")" 16384 65536 "size"
	like "$(tr -d '\000' <"$S/log/log.log")" \
	    '^\[queuectl: bytes 16384 to 2148515843 were dropped\]$'
	is "$(field log "$(attempt log 3)")" $((big + 4)) "log="
	run q logs --attempt 1 log
	out_is out

	t "a job with more than 2 GiB of history"
	q enqueue --id past --max-retries 1 -- sh -c 'echo out; exit 1' >/dev/null
	drain
	extend "$S/ids/past"
	echo >>"$S/ids/past"
	q dlq retry past >/dev/null
	drain
	like "$(tail -n 1 "$S/ids/past")" '^Attempt: 1 start=.* exit=1 log=4 .*worker='
	within "$(size "$S/ids/past")" $((big + 100)) $((big + 300)) "size"
	run q show --json past
	jis attempts 1
	jis exit_code 1
	run q fsck
	status 0
	run q dlq purge past
	status 0
	no test -e "$S/ids/past"
else
	rm -f probe
	skip "sizes: the file system takes no file of 2 GiB"
fi

t "inodes above 2^32"
mount_big='mount -t tmpfs none "$T/inodes" && cd "$T/inodes" &&
	mkdir lower upper spool && mount -t tmpfs none lower &&
	mkdir -m 700 lower/q &&
	mount -t tmpfs none upper && mkdir upper/up upper/work || exit
	QUEUECTL_SPOOL=$PWD/lower/q "$QUEUECTL" enqueue --id i1 -- echo i1
	mount -t overlay -o xino=on,lowerdir=lower,upperdir=upper/up,workdir=upper/work \
	    none spool && ls -di spool/q/ids | grep "[0-9]\{11\}" || exit
	QUEUECTL_SPOOL=$PWD/spool/q'
mkdir "$T/inodes"
export T
if [ "$qt_root_user" ] && unshare -m sh -c "$mount_big" >/dev/null 2>&1; then
	run unshare -m sh -c "$mount_big"'
	"$QUEUECTL" enqueue --id i2 -- true
	"$QUEUECTL" worker start --drain || exit
	"$QUEUECTL" fsck || exit
	"$QUEUECTL" logs i1
	"$QUEUECTL" list'
	status 0
	err_has "successfully: i2"
	out_like '^i1 +completed'
	out_like '^i2 +completed'
	out_like '^i1$'
else
	skip "inodes: no overlay with xino"
fi

t "files changed after 2106"
q config set backoff-base 7
q enqueue --id late --max-retries 1 -- true >/dev/null
touch -t 220001010000 "$S"/* "$S"/ids/* "$S/pending"
drain
ok in_state 'done' late
q enqueue --id bad -- true >/dev/null
is "$(grep '^Backoff-Base' "$S/ids/bad")" "Backoff-Base: 7" "the config is read"
echo nonsense >"$S/ids/bad"
touch -t 220001010000 "$S/ids/bad"
drain
is "$(where bad)" dead
q enqueue --id old -- true >/dev/null
drain
run q purge --state completed --older-than 0
status 0
out_has old
run q fsck
status 1
out_lacks late

t "stamps after 2038 and after 2106"
q enqueue --id y2040 --run-at 2040-02-29T01:02:03.4Z -- true >/dev/null
q enqueue --id y2200 --run-at 2200-02-28T01:02:03.4Z -- true >/dev/null
q enqueue --id delay --delay 2000000000 -- true >/dev/null
is "$(name pending y2040)" 5@20400229T010203.400000Z-0-y2040
is "$(name pending y2200)" 5@22000228T010203.400000Z-0-y2200
like "$(name pending delay)" '^5@20[89]'
run q show --json y2040
jis run_at '"2040-02-29T01:02:03.400000Z"'
run q list
out_has "[due in"
pool
await 10 eval 'q worker list | grep -q -e "-$pool "'
stop_pool
is "$(count pending)" 3 "jobs that wait"

finish
