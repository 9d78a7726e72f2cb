# recurring.sh: the recipes of queuectl(1), RECURRING JOBS, as they are printed;
# only /usr/local and /srv are in the test's directory, and no hour is waited
# for.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2086,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

bin=$T/usr/local/bin
mkdir -p "$bin" "$T/srv" "$T/stubs"
ln -s "$QUEUECTL" "$bin/queuectl"
printf '#!/bin/sh\necho "$QUEUECTL_ID" >>"%s/w/ran"\n' "$T" >"$bin/backup"
chmod 755 "$bin/backup"

# recipe TEXT: the display with a line that begins so.
recipe() { display 1 "$1" | sed "s,/usr/local/,$T&,g; s,/srv/,$T&,g"; }
# runs N: so many there were; as_often: N or more.
runs() { [ -e ran ] && [ "$(wc -l <ran)" -eq "$1" ]; }
as_often() { [ -e ran ] && [ "$(wc -l <ran)" -ge "$1" ]; }
# program FILE TEXT: the recipe as a program.
program() {
	recipe "$2" >"$1"
	chmod 755 "$1"
}
# cron COMMAND: runs it as crond does: by sh, with little in its environment.
cron() { run env -i HOME="$HOME" LOGNAME=me SHELL=/bin/sh PATH=/usr/bin:/bin \
    QT_MARK="$QT_MARK" QUEUECTL_SPOOL="$S" /bin/sh -c "$1"; }
# line TEXT: the command of a line of a crontab.  An unescaped % ends it.
line() {
	recipe "$1" | sed -n 's/^17 3 \* \* \* //p' |
	    sed 's/\([^\\]\)%.*/\1/; s/\\%/%/g'
}

spool_init

t "a line of a crontab"
command=$(line '17 3 * * * /usr/local/bin/queuectl enqueue --unique')
for n in 1 2; do
	cron "$command"
	status 0
	out_is ""
	err_is ""
	is "$(entries pending | sed 's/.*-0-//')" nightly
done
drain
ok runs 1
cron "$command"
status 0
drain
ok runs 2
is "$(count 'done')" 1
q config set min-free 100%
cron "$command"
status 1
out_is ""
err_has "free"
q config unset min-free

t "a line of a crontab, with the date"
command=$(line '17 3 * * * /usr/local/bin/queuectl enqueue --id')
before=$(date +%F)
cron "$command"
status 0
err_is ""
after=$(date +%F)
id=$(entries pending | sed 's/.*-0-//')
case $id in
"nightly-$before+nightly"|"nightly-$after+nightly") pass ;;
*) fail "nightly-$before+nightly" "$id" ;;
esac
cron "$(printf '%s\n' "$command" | sed 's/\$(.*)/other/')"
drain 2
ok runs 4
is "$(count 'done')" 3
cron "$command"
status 1
err_has "exists already"

t "a service and a timer of systemd"
recipe '[Service]' >nightly.service
recipe '[Timer]' >nightly.timer
start=$(sed -n 's/^ExecStart=//p' nightly.service)
ok test "$start"
rm ran
for n in 1 2; do
	cron "exec $start"
	status 0
	out_is nightly
	err_is ""
done
drain
ok runs 1
if command -v systemd-analyze >/dev/null; then
	run systemd-analyze verify ./nightly.timer ./nightly.service
	status 0
	is "$(printf '%s\n' "$err" | grep nightly)" "" "what it says of them"
	run systemd-analyze calendar \
	    "$(sed -n 's/^OnCalendar=//p' nightly.timer)"
	status 0
	out_like 'next elapse: .* 03:17:00'
else
	skip "no systemd-analyze"
fi

PATH=$bin:$PATH
cat >"$T/stubs/sleep" <<.
#!/bin/sh
[ "\$*" = 3600 ] || echo "sleep \$*" >>"$T/slept"
[ ! -e "$T/end" ] || exit 1
exec $(command -v sleep) 0.1
.
chmod 755 "$T/stubs/sleep"
cp "$bin/backup" "$T/srv/report"

t "a loop"
rm ran
program "$T/start" 'while sleep'
PATH=$T/stubs:$PATH sh -c 'exec "$0"' "$T/start" >start.out 2>start.err &
pool=$!
await 10 as_often 3
q worker stop >/dev/null 2>&1
pool_ends
: >"$T/end"
await 5 none_marked
no test -e "$T/slept"
is "$(sort -u ran)" hourly
is "$(sort -u start.out)" hourly
drain


# What follows is a chain.  round: the job that waits for its day runs now.
round() {
	await 10 in_state 'done' daily-next
	await 10 in_state pending daily
	n=$(name pending daily)
	within "$(minus "$(name_stamp "$n")" "$(date -u +%Y%m%dT%H%M%SZ)")" \
	    86300 86401 "seconds to the next run"
	mv "$S/pending/$n" "$S/pending/5-20200101T000000.000000Z-0-daily"
}
# Nothing of it is there but what has ended.
over() {
	[ "$(count pending)$(count processing)$(count failed)" = 000 ] &&
	    ! ls "$S"/after/*/5* >/dev/null 2>&1
}
begin() { run $(recipe 'queuectl enqueue --unique --id daily --' | sed -n 1p); }
end() { run sh -c "$(recipe 'queuectl enqueue --unique --id daily --' |
    sed 1d)"; }
program "$T/srv/daily" 'queuectl enqueue --unique --id daily-next'

t "a job that enqueues its successor"
rm ran
pool --count 2
begin
status 0
out_is daily
for n in 1 2 3; do
	await 10 runs $n
	round
done
await 10 runs 4
is "$(sort -u ran)" daily

t "also one that fails, and is tried again"
cat >"$T/srv/report" <<.
#!/bin/sh
echo "\$QUEUECTL_ATTEMPT" >>"$T/w/ran"
exit 1
.
round
await 10 runs 7
round
await 10 runs 10
await 10 in_state 'done' daily-next
is "$(count pending)" 1
is "$(entries ids | grep -c daily)" 2

t "also one whose worker is killed"
cat >"$T/srv/report" <<.
#!/bin/sh
echo \$PPID \$\$ >"$T/w/pids"
[ -e "$T/w/killed" ] || exec sleep 1000
echo killed >>"$T/w/ran"
.
round
await 10 test -s pids
await 10 in_state processing daily
read -r worker job <pids
kill -9 "$worker"
: >killed
! portable || kill -9 "$job"
await 20 runs 11
await 5 said 'Recovered job daily: lost'
rm killed pids
round
await 10 test -s pids
is "$(ls "$S/after/daily" | sed 's/.*-0-//')" daily-next

t "its end, while it runs"
end
status 0
out_is "daily-next${nl}daily"
ok over
is "$(outcomes daily)" cancelled
is "$(outcomes daily-next)" cancelled

t "its end, while it waits"
: >killed
begin
status 0
await 10 in_state 'done' daily-next
await 10 in_state pending daily
end
status 0
out_is daily
err_has "daily-next: has ended already"
ok over
stop_pool

t "a job cannot enqueue its own id"
cat >own <<.
#!/bin/sh
queuectl enqueue --unique --id own --delay 1 -- "\$0"
.
chmod 755 own
q enqueue --unique --id own -- "$T/w/own" >/dev/null
drain
run q logs own
out_is own
is "$(outcomes own)" exit=0
ok over

finish
