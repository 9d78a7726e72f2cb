# planted.sh: things in the spool that are no jobs: nothing hangs, nothing
# runs that was not enqueued, nothing is deleted.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init
dirs='pending processing done failed dead ids log workers'

mkdir keep
jobfile evil ': >RAN' >evil.job
chmod 644 evil.job

t "in every directory: links, directories, FIFOs; empty, cut and binary files"
n=0
for d in $dirs; do
	n=$((n + 1))
	sep=-
	[ "$d" != failed ] || sep=@
	pre=5${sep}20200101T0000$(printf %02d $n).000000Z-0-
	p=$S/$d/$pre
	ln -s "$T/w/evil.job" "${p}evil"
	ln -s "$T/w/nowhere" "${p}dangling$n"
	ln -s "${pre}loop$n" "${p}loop$n"
	ln -s "$T/w" "${p}dirlink$n"
	mkdir "${p}dir$n"
	echo "in $d" >"${p}dir$n/file"
	mkfifo "${p}fifo$n"
	: >"${p}empty$n"
	jobfile cut$n ': >RAN' | sed '/^Created/d' >"${p}cut$n"
	printf 'Queuectl: 1\nId: half%d\nCommand: : >RA' $n >"${p}half$n"
	dd if=/dev/urandom of="${p}bin$n" bs=1000 count=3 2>/dev/null
	dd if=/dev/zero of="${p}nul$n" bs=1000 count=300 2>/dev/null
	{
		jobfile nulin$n ': >RAN' | sed '/^Cwd/,$d'
		printf 'Cwd: /\000\nCreated: 2020-01-02T03:04:05.000001Z\n'
	} >"${p}nulin$n"
	jobfile stranger ': >RAN' >"${p}other$n"
	cp evil.job "$S/$d/unparsable"
	mkfifo "$S/$d/afifo"
	ln -s /dev/zero "$S/$d/zero"
done
# Ids and logs, as they are named there.
mkfifo "$S/ids/pipe1"
mkdir "$S/ids/dir1x"
ln -s "$T/w/evil.job" "$S/ids/link1"
echo precious >precious
ln -s "$T/w/precious" "$S/log/good1.log"
mkfifo "$S/log/good2.log"
mkdir "$S/log/good3.log"
ln -s "$T/w/newfile" "$S/log/good4.log"
mkfifo "$S/workers/pool.stop" "$S/workers/1.now"
: >"$S/workers/99999.stop"
echo junk >"$S/workers/1"
mkdir "$S/workers/2"
mkfifo "$S/workers/3"
if [ "$qt_root_user" ]; then
	jobfile foreign ': >RAN' >"$S/pending/5-20200101T000000.000000Z-0-foreign"
	chown 65534 "$S/pending/5-20200101T000000.000000Z-0-foreign"
else
	skip "another owner's file: not root"
fi
find "$S" -type f ! -name config -exec cksum {} + | sed 's, /.*[-/], ,' | sort >before
find "$S" ! -type f | sort >before.special

t "the commands that read"
for c in list 'list --json' status 'status --json' 'dlq list' 'worker list' \
    'show evil' 'show empty1' 'show fifo1' 'show pipe1' 'show link1' \
    'show dir1x' 'logs pipe1' 'logs dir1x' 'logs evil' 'logs link1' \
    'config get' 'worker stop' 'dlq retry evil' 'dlq retry link1' \
    'dlq purge pipe1' 'dlq purge evil'; do
	# shellcheck disable=SC2086
	run q $c
	status 0 1
done
for c in list status 'worker list' 'config get'; do
	# shellcheck disable=SC2086
	run q $c
	status 0
done
run q status
out_like 'pending/.*afifo'
run q enqueue --id pipe1 -- true
status 1
run q enqueue --id dir1x -- true
status 1
run q enqueue --id link1 -- true
status 1

t "the workers run what is good and nothing else"
q enqueue --id fine1 -- echo fine >/dev/null
q enqueue --id fine2 --max-retries 2 -- false >/dev/null
drain 2
is "$(where fine1)" 'done'
is "$(where fine2)" dead
no test -e RAN

t "logs that are no files"
q enqueue --id good1 --max-retries 1 -- echo overwritten >/dev/null
q enqueue --id good2 --max-retries 1 -- echo hangs >/dev/null
q enqueue --id good3 --max-retries 1 -- echo dir >/dev/null
q enqueue --id good4 --max-retries 1 -- echo created >/dev/null
q enqueue --id good5 -- true >/dev/null
pool
await 10 in_state 'done' good5
is "$(cat precious)" precious
no test -e newfile
for i in good1 good2 good3 good4; do
	run q show $i
	status 0
	run q logs $i
	status 0 1
	out_is ""
done
stop_pool

t "nothing has been deleted or changed"
find "$S" ! -type f | sort >after.special
is "$(diff before.special after.special)" ""
find "$S" -type f ! -name config -exec cksum {} + | sed 's, /.*[-/], ,' | sort >after
# What only workers/ may clear away: what a dead pool left behind.
awk 'NR == FNR { n[$1 " " $2]++; next } !n[$1 " " $2]-- { print }' after before |
    grep -v -e ' 99999.stop$' -e ' 1$' >missing
is "$(cat missing)" ""

t "bad text is in the dead letter queue, as it was"
for n in 1 4; do
	for i in empty cut half bin nul nulin; do
		is "$(where $i$n)" dead "$i$n"
	done
done
run q list --state dead
status 0
out_has cut1
run q show cut1
status 0
run q dlq retry cut1
status 1
err_has cut1
is "$(where cut1)" dead

t "another Id than the name's is left and reported"
ok said other1
ok said other4
is "$(where other1)" pending
is "$(where other4)" failed

t "a planted config"
# No drain is to wait for these.
rm -f "$S"/pending/*-good[1-4] "$S"/failed/*-good[1-4]
printf '\000\001\377garbage\n' >"$S/config"
run q list
status 0
run q config get
status 0 1
rm "$S/config"
mkfifo "$S/config"
for c in list status 'config get' 'config set max-retries 1' \
    'enqueue -- true' 'worker start --drain'; do
	# shellcheck disable=SC2086
	run q $c
	status 0 1
done
ok test -p "$S/config"
rm "$S/config"
mkdir "$S/config"
for c in list 'config get' 'config set max-retries 1' 'enqueue -- true'; do
	# shellcheck disable=SC2086
	run q $c
	status 0 1
done
ok test -d "$S/config"
rmdir "$S/config"
ln -s "$T/w/conf.target" "$S/config"
q config set max-retries 1 >/dev/null 2>&1
no test -e conf.target
rm "$S/config"

t "a planted worker.log"
mkfifo "$S/worker.log"
run q worker start --daemon --drain
status 0 1
rm "$S/worker.log"
ln -s "$T/w/precious" "$S/worker.log"
run q worker start --daemon --drain
status 0 1
await 10 none_marked
is "$(cat precious)" precious
no test -e RAN

# fix FILE, unfix FILE: nobody can change it; for a plain user its mode is enough.
if [ "$(id -u)" -eq 0 ]; then
	fixed=yes # lib.sh cleans up
	fix() { chattr +i "$1"; }
	unfix() { chattr -i "$1"; }
else
	fix() { chmod 400 "$1"; }
	unfix() { chmod 600 "$1"; }
fi

t "a file that cannot be changed"
rm -rf "$S"
spool_init
q enqueue --id stuck --priority 1 -- true >/dev/null
stuck=$(ls "$S/pending/"*-stuck)
if ! fix "$stuck" 2>/dev/null || (: >>"$stuck") 2>/dev/null; then
	skip "a file that cannot be changed: no chattr here"
	unfix "$stuck" 2>/dev/null
	finish
fi
: >"$T/worker.err"
run q fsck
status 1
out_has "${stuck#"$S/"}: it cannot be changed"
pool
q enqueue --id clock --delay 2.5 -- true >/dev/null
q enqueue --id good -- true >/dev/null
await 10 in_state 'done' good
await 10 in_state 'done' clock
is "$(grep -c "Left alone: pending/.*-stuck: it cannot be changed" \
    "$T/worker.err")" 1
run q status
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
run q show stuck
out_has "Why:        left alone: it cannot be changed"
# another one, for another reason
jobfile other true | sed 's/^Id: .*/Id: fake/' >"$S/ids/other"
ln "$S/ids/other" "$S/pending/0-20200101T000000.000000Z-0-other"
await 10 said "Left alone: pending/0-20200101T000000.000000Z-0-other"
run q status
out_has "pending/0-20200101T000000.000000Z-0-other is left alone: "
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
rm "$S/pending/0-20200101T000000.000000Z-0-other" "$S/ids/other"
run q status
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
stop_pool
# behind others; in a long queue, where only the first are looked at; and behind
# some in a long queue
q enqueue --priority 0 --id urgent -- true >/dev/null
run q status
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
q cancel urgent 2>/dev/null
awk 'BEGIN { while (n++ < 2000)
	print "{\"id\":\"long" n "\",\"command\":\"true\"}" }' | q enqueue - >/dev/null
run q status
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
awk 'BEGIN { while (n++ < 200)
	print "{\"id\":\"first" n "\",\"priority\":0,\"command\":\"true\"}" }' |
    q enqueue - >/dev/null
run q status
out_has "note        ${stuck#"$S/"} is left alone: it cannot be changed"
unfix "$stuck"
run q status
out_lacks "left alone"
drain
is "$(where stuck)" 'done'

t "a draining pool leaves it"
q enqueue --id fixed -- true >/dev/null
q enqueue --id free -- true >/dev/null
stuck=$(ls "$S/pending/"*-fixed)
fix "$stuck"
drain
is "$(where free)" 'done'
is "$(where fixed)" pending
unfix "$stuck"
drain
is "$(where fixed)" 'done'

finish
