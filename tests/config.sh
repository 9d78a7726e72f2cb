# config.sh: the settings.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

t "the defaults"
q config set sync enqueue
run q config get
status 0
for kv in 'max-retries = 3' 'backoff-base = 2' 'backoff-max = 3600' \
    'max-crashes = 5' 'timeout = 0' 'kill-grace = 5' 'sync = enqueue'; do
	out_like "^$kv\$"
done
run q config get --json
status 0
json_lines
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1
for k in 'max[-_]retries": *3' 'sync": *"enqueue"' 'kill[-_]grace": *5'; do
	out_like "\"$k"
done

t "set and get"
for kv in max-retries=0 max-retries=2147483647 backoff-base=0 backoff-max=1 \
    max-crashes=1 timeout=10 kill-grace=0 sync=full sync=none sync=enqueue \
    max_crashes=7 kill_grace=3; do
	run q config set "${kv%=*}" "${kv#*=}"
	status 0
	out_is ""
	run q config get "${kv%=*}"
	status 0
	out_is "${kv#*=}"
done
for kv in backoff-max=1h=3600 backoff-max=1.5m=90 timeout=15m=900 \
    timeout=1.5s=1.5 kill-grace=0.5m=30 keep-done=1.5d=36h keep-dead=90=90s \
    stop-grace=1.5s=1.5s kill-grace=3=3; do
	k=${kv%%=*} kv=${kv#*=}
	run q config set "$k" "${kv%=*}"
	status 0
	run q config get "$k"
	out_is "${kv#*=}"
done
q config unset keep-done
q config unset keep-dead
q config unset stop-grace
run q config get kill-grace
out_is 3
like "$(cat "$S/config")" '^kill-grace = 3$'

t "unset"
run q config unset kill-grace
status 0
run q config get kill-grace
out_is 5
run q config unset kill_grace
status 0
refused 2 bogus q config unset bogus

t "refused"
refused 2 bogus q config set bogus 1
err_like 'max-retries'
refused 2 bogus q config get bogus
refused 2 max-retrys q config set max-retrys 1
for k in max-retries backoff-base backoff-max max-crashes timeout kill-grace; do
	refused 2 -1 q config set "$k" -1
	for v in abc '' 1e3 2147483648 99999999999999999999 ' 1' '1 ' 1x; do
		refused 2 "$k" q config set "$k" "$v"
	done
done
refused 2 abc q config set max-retries abc
for k in max-retries backoff-base keep-max; do
	for v in 2.0 2s -2 +2; do
		refused 2 "$k must be a whole number from 0 to 2147483647, not $v" \
		    q config set "$k" "$v"
	done
done
refused 2 "max-crashes must be a whole number from 1 to" \
    q config set max-crashes 0
for k in min-free backoff-jitter; do
	for v in 1.5% 101 -1; do
		refused 2 "$k must be a whole number from 0 to 100, such" \
		    q config set "$k" "$v"
	done
done
for v in 1.5M 4095 -1; do
	refused 2 "log-max must be none or a whole number of bytes from 4096" \
	    q config set log-max "$v"
done
for k in timeout kill-grace; do
	for v in 15x 24856d 1.0000001 -1s; do
		refused 2 "$k must be a time from 0 to 24855d, such as 90 (s" \
		    q config set "$k" "$v"
	done
done
refused 2 "12h, in whole seconds, not 1.5s" q config set backoff-max 1.5s
for v in maybe '' FULL 1; do
	refused 2 sync q config set sync "$v"
done
refused 2 "" q config set max-retries 1 2
refused 2 "" q config set max-retries "1${nl}sync = none"

t "what stands in the file by hand"
printf '# a comment\n\nmax-retries=4\n  backoff-base   =  6  \nbackoff_max = 8\n' >"$S/config"
run q config get max-retries
out_is 4
run q config get backoff-base
out_is 6
run q config set sync none
status 0
run q config get max-retries
out_is 4
echo 'backoff-max = 2m' >>"$S/config"
run q config get backoff-max
out_is 120
err_is ""

t "unknown and broken lines break nothing"
printf 'future = 1\nmax-retries = many\nnonsense\nbackoff-base = 1\n' >"$S/config"
run q config get backoff-base
status 0 1
run q list
status 0
run q config set max-retries 2
if [ "$st" = 0 ]; then
	run q config get max-retries
	out_is 2
fi
printf 'sync = none\nbackoff-base = 0\n' >"$S/config"

t "many writers"
for n in 1 2 3 4; do
	(
		i=0
		while [ $i -lt 10 ]; do
			q config set max-retries $n
			q config get max-retries >>"got$n"
			i=$((i + 1))
		done
	) &
	eval "p$n=\$!"
done
# shellcheck disable=SC2154
wait "$p1" "$p2" "$p3" "$p4"
is "$(cat got1 got2 got3 got4 | grep -c '^[1-4]$')" 40
is "$(grep -c . "$S/config")" 3
is "$(find "$S" -maxdepth 1 -type f | wc -l | tr -d ' ')" 1

t "a new job takes the config of the moment"
q config set max-retries 6 >/dev/null
q config set backoff-base 3 >/dev/null
q enqueue --id new --delay 1000 -- true >/dev/null
run q show --json new
jis max_retries 6
jis backoff_base 3

t "running workers follow"
# A job that blocks without a child: a group's zombies would take the time of
# whoever reaps them.
mkfifo never
q config set max-retries 1 >/dev/null
pool
q enqueue --id before -- true >/dev/null
await 10 in_state 'done' before
q config set timeout 1 >/dev/null
q enqueue --id slow -- sleep 1000 >/dev/null
await 10 in_state dead slow
is "$(outcomes slow)" timeout
q config set timeout 0 >/dev/null
q config set kill-grace 0 >/dev/null
q enqueue --id hard --timeout 0.2 -- sh -c 'trap "" TERM; read x <never' >/dev/null
await 10 in_state dead hard
within "$(took "$(attempt hard 1)")" 0.2 5 "seconds"
q config set backoff-max 77 >/dev/null
q enqueue --id back --max-retries 2 --backoff-base 1000 -- false >/dev/null
await 10 in_state failed back
within "$(minus "$(name_stamp "$(name failed back)")" \
    "$(field end "$(attempt back 1)")")" 77 77 "seconds of backoff"
stop_pool

t "a job's own timeout goes first"
q config set timeout 1 >/dev/null
q enqueue --id own --timeout 0.2 -- sleep 1000 >/dev/null
q enqueue --id longer --timeout 20 -- sh -c 'sleep 1.3; echo ended' >/dev/null
q enqueue --id zero --timeout 0 -- sh -c 'sleep 1.3; echo ended' >/dev/null
rm "$S/failed/"*
rm "$S/pending/$(name pending new)"
drain 3
within "$(took "$(attempt own 1)")" 0.2 5 "seconds"
is "$(outcomes longer)" exit=0
is "$(outcomes zero)" exit=0

t "enqueue - takes the config of the moment"
q config unset max-retries
mkfifo slow
q enqueue - <slow >slow.out &
p=$!
exec 9>slow
echo '{"id":"moment1","command":"true"}' >&9
await 5 grep -q moment1 slow.out
q config set max-retries 9
echo '{"id":"moment2","command":"true"}' >&9
exec 9>&-
wait $p
q config unset max-retries
run q show --json moment1
jis max_retries 3
run q show --json moment2
jis max_retries 9

t "a config that cannot be read"
mv "$S/config" kept
ln -s "$T/w/kept" "$S/config"
run q config get max-retries
err_has "config"
rm "$S/config"
mv kept "$S/config"

t "what lies at config.new"
rm -f "$S/config.new"
mkfifo "$S/config.new"
run q config set max-retries 4
status 0
q config unset max-retries
no test -e "$S/config.new"

t "config list, and no spool"
run q config get
all=$out
run q config list
status 0
out_is "$all"
run q config list --json
status 0
for c in 'config get' 'config list --json' 'config get sync' 'worker stop' \
    'worker stop --now'; do
	# shellcheck disable=SC2086 # words
	run q --spool "$T/nowhere" $c
	status 0
	no test -e "$T/nowhere"
done
err_has "no worker is running"
run q --spool "$T/nowhere" config get sync
out_is enqueue
run q --spool "$T/nowhere" config get nonsense
status 2

finish
