# fsck.sh: what fsck finds, and what it mends.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

# A line of fsck for a path that has TEXT.
finds() {
	out_like "^$1: .*$2"
}

workers() {
	[ "$(q status --json | tr ',' '\n' | grep '^"workers"' | tr -cd 0-9)" = "$1" ]
}

spool_init
q enqueue --id a -- true >/dev/null
q enqueue --id b --delay 3600 -- true >/dev/null
q enqueue --id c --max-retries 1 -- false >/dev/null
q worker start 2>/dev/null &
p=$!
await 10 in_state dead c
await 10 in_state 'done' a

t "clean, while a worker runs"
run q fsck
status 0
out_is ""
q worker stop 2>/dev/null
wait $p

t "what it finds"
: >"$S/pending/junk"
mkdir "$S/failed/dir"
ln -s nowhere "$S/dead/5-20200101T000000.000000Z-0-link"
echo garbage >"$S/pending/5-20200101T000000.000000Z-0-bad"
touch -t 202001010000 "$S/pending/5-20200101T000000.000000Z-0-bad"
printf 'Queuectl: 1\nId: other\nCommand: true\nCreated: 2026-01-01T00:00:00Z\n' \
    >"$S/pending/5-20200101T000000.000000Z-0-alien"
rm "$S/ids/a"
: >"$S/ids/left"
: >"$S/log/gone.log"
: >"$S/workers/0123456789-4242"
: >"$S/workers/0123456789-4242.stop"
: >"$S/workers/mine"
chmod 644 "$S/$(cd "$S" && ls dead/*-c)"
chmod 755 "$S/done"
q enqueue --id d -- true >/dev/null
mv "$S/pending/$(name pending d)" "$S/processing/5-20260101T000000.000000Z-1-d"
q enqueue --id two -- true >/dev/null
ln "$S/pending/$(name pending two)" "$S/done/5-20260101T000000.000000Z-1-two"
before=$(cd "$S" && find . | sort)
run q fsck
status 1
finds pending/junk "not a job"
finds failed/dir "not a job"
finds dead/5-20200101T000000.000000Z-0-link "not a job"
finds pending/5-20200101T000000.000000Z-0-bad "would move it to dead"
finds pending/5-20200101T000000.000000Z-0-alien "Id"
finds 'done/.*-a' "would link it"
finds ids/left "would remove"
finds log/gone.log "would remove"
finds workers/0123456789-4242 "would remove"
finds workers/0123456789-4242.stop "would remove"
finds workers/mine "not a file of a pool"
finds 'dead/.*-c' "would chmod 600"
finds 'done' "would chmod 700"
finds processing/5-20260101T000000.000000Z-1-d "would recover"
finds 'pending/.*-two' "another name"
finds 'done/5-20260101T000000.000000Z-1-two' "another name"
is "$(cd "$S" && find . | sort)" "$before" "nothing is changed"

t "as JSON"
run q fsck --json
status 1
out_like '^\{"path":"ids/left","problem":".*","repair":"remove the entry","repaired":false\}$'

t "what it mends"
run q fsck --repair
status 1
finds 'done/.*-a' "repaired: link it"
finds pending/junk "it is not a job; move it away$"
ok test -e "$S/ids/a"
no test -e "$S/ids/left"
no test -e "$S/log/gone.log"
no test -e "$S/workers/0123456789-4242"
no test -e "$S/workers/0123456789-4242.stop"
ok test -e "$S/workers/mine"
is "$(where bad)" dead
is "$(where d)" failed
is "$(ls -ld "$S/done" | cut -c 1-10)" drwx------
is "$(ls -l "$S/dead/$(name dead c)" | cut -c 1-10)" -rw-------
is "$(where b)" pending
ok test -e "$S/pending/5-20200101T000000.000000Z-0-alien"

t "and then it is clean"
rm -r "$S/pending/junk" "$S/failed/dir" "$S/workers/mine" \
    "$S/dead/5-20200101T000000.000000Z-0-link" \
    "$S/pending/5-20200101T000000.000000Z-0-alien" \
    "$S/done/5-20260101T000000.000000Z-1-two"
q dlq purge bad >/dev/null
run q fsck
out_is ""
status 0

t "a broken copy"
cp -r "$S" "$T/copy"
chmod -R go-rwx "$T/copy"
run q --spool "$T/copy" fsck
status 1
run q --spool "$T/copy" fsck --repair
status 0
run q --spool "$T/copy" fsck
status 0

t "what only a person can mend"
n=5-20260101T000000.000000Z-1-b
cp "$S/pending/$(name pending b)" "$S/dead/$n"
mkdir "$S/ids/dir" "$S/log/dir.log"
: >"$S/ids/no id"
: >"$S/log/no log"
echo nonsense >>"$S/config"
before=$(snap)
for w in "" --repair; do
	run q fsck $w
	status 1
	finds "dead/$n" "its id is another job's"
	finds ids/dir "not an entry"
	finds "ids/no id" "not an entry"
	finds log/dir.log "not a log"
	finds "log/no log" "not a log"
	finds config "not understood"
	is "$(snap)" "$before" "nothing is changed"
done
rm -r "$S/dead/$n" "$S/ids/dir" "$S/log/dir.log" "$S/ids/no id" "$S/log/no log"
q config set sync none >/dev/null
sed '/nonsense/d' "$S/config" >config && cat config >"$S/config"
run q fsck
status 0

t "directories"
rmdir "$S/processing"
run q fsck
status 1
finds processing "would mkdir"
run q fsck --repair
status 0
finds processing "repaired: mkdir"
is "$(ls -ld "$S/processing" | cut -c 1-10)" drwx------
rmdir "$S/processing"
: >"$S/processing"
run q fsck --repair
status 1
finds processing "not a directory"
rm "$S/processing"
run q fsck --repair
status 0

t "another's files"
if [ "$qt_root_user" ]; then
	chown 1 "$S/ids/b" "$S/done" "$S/log"
	run q fsck --repair
	status 1
	finds 'pending/.*-b' "belong"
	finds 'done' "belong"
	finds log "belong"
	chown 0 "$S/ids/b" "$S/done" "$S/log"
	run q fsck
	status 0
else
	skip "another owner's file: not root"
fi

t "no spool"
run q --spool "$T/none" fsck
status 1
no test -e "$T/none"

finish
