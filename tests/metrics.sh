# metrics.sh: status --prometheus, and durations in show --json.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
# metric NAME VALUE: of the last run.
metric() {
	is "$(sed -n "s/^queuectl_$1 //p" "$T/c/out")" "$2" "$1"
}

t "an empty spool"
run q status --prometheus
status 0
err_is ""
metric 'jobs{state="pending"}' 0
metric 'attempts_total{outcome="success"}' 0
metric 'attempt_duration_seconds_count' 0
metric oldest_pending_seconds 0.000000
metric paused 0

t "the format: each metric has its help and type, each line is one"
no grep -Ev '^(# HELP queuectl_[a-z_]+ .+|# TYPE queuectl_[a-z_]+ (gauge|counter|histogram)|queuectl_[a-z_]+(\{[a-z]+="[a-zA-Z0-9.+]+"\})? [0-9.]+)$' "$T/c/out"
sed -n 's/^\(queuectl_[a-z_]*\).*/\1/p' "$T/c/out" | sed 's/_\(bucket\|sum\|count\)$//' |
    sort -u >names
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$T/c/out" | sort >typed
same names typed

t "states, attempts, durations"
q enqueue --id a -- true >/dev/null
q enqueue --id b --max-retries 2 -- sh -c 'sleep 0.15; exit 3' >/dev/null
q enqueue --id c --max-retries 1 -- /no/such/program >/dev/null
q enqueue --id d --max-retries 1 --timeout 0.1 -- sleep 300 >/dev/null
q enqueue --id e --max-retries 1 -- sh -c 'kill -9 $$' >/dev/null
drain
q enqueue --id f --delay 1000 -- true >/dev/null
run q status --prometheus
metric 'jobs{state="completed"}' 1
metric 'jobs{state="dead"}' 4
metric 'jobs{state="pending"}' 1
metric 'attempts_total{outcome="success"}' 1
metric 'attempts_total{outcome="exit"}' 2
metric 'attempts_total{outcome="signal"}' 1
metric 'attempts_total{outcome="timeout"}' 1
metric 'attempts_total{outcome="error"}' 1
metric 'attempt_duration_seconds_count' 6
metric 'attempt_duration_seconds_bucket{le="+Inf"}' 6
metric 'attempt_duration_seconds_bucket{le="86400"}' 6
within "$(sed -n 's/^queuectl_attempt_duration_seconds_bucket{le="0.1"} //p' "$T/c/out")" 0 3
within "$(sed -n 's/^queuectl_attempt_duration_seconds_sum //p' "$T/c/out")" 0.4 60
sed -n 's/^queuectl_attempt_duration_seconds_bucket.* //p' "$T/c/out" >buckets
sort -n buckets >sorted
same buckets sorted
# value NAME: of a metric of the last run
value() { sed -n "s/^queuectl_$1 //p" "$T/c/out"; }
if portable; then
	metric 'attempt_cpu_seconds_total{mode="user"}' 0.000000
	metric attempt_max_rss_bytes 0
else
	# it is what the lines of the attempts say
	cat "$S"/ids/? | tr ' ' '\n' >words
	sum() { awk -F= -v k="$1" '$1 == k { s += $2 } END { printf "%.6f", s }' \
	    words; }
	metric 'attempt_cpu_seconds_total{mode="user"}' "$(sum user)"
	metric 'attempt_cpu_seconds_total{mode="system"}' "$(sum sys)"
	metric attempt_max_rss_bytes "$(awk -F= '$1 == "maxrss" &&
	    $2 > m { m = $2 } END { printf "%d", m * 1024 }' words)"
	within "$(value attempt_max_rss_bytes)" 100000 1e12
fi
# only one is ready, and that later
metric oldest_pending_seconds 0.000000

t "the oldest that is ready"
(umask 077 && jobfile old true >new)
mv new "$S/pending/5-20260101T000000.000000Z-0-old"
run q status --prometheus
within "$(sed -n 's/^queuectl_oldest_pending_seconds //p' "$T/c/out")" 1000 9999999999

t "they never go down: neither with a purge, nor with the pool, nor its death"
q purge --state completed >/dev/null
q dlq purge --all >/dev/null
pool --count 2
await 10 in_state 'done' old
run q status --prometheus
metric 'attempts_total{outcome="success"}' 2
metric 'workers{state="busy"}' 0
metric 'workers{state="idle"}' 2
q enqueue --wait --id g -- true >/dev/null
for k in $(q worker list | awk 'NR > 1 { print $3 }') $pool; do
	kill -9 "$k" 2>/dev/null
done
wait "$pool" 2>/dev/null
await 5 none_marked
run q status --prometheus
metric 'workers{state="idle"}' 0
metric 'attempts_total{outcome="success"}' 3
pool
q enqueue --wait --id h -- true >/dev/null
await 10 has workers 1
run q status --prometheus
metric 'attempts_total{outcome="success"}' 4
q pause
run q status --prometheus
metric paused 1
q resume
stop_pool
run q status --prometheus
metric 'attempts_total{outcome="success"}' 4
metric 'attempt_duration_seconds_count' 9
is "$(count workers)" 0
is "$(stat -c %a "$S/metrics" 2>/dev/null || echo 600)" 600

q cancel f >/dev/null

t "numbers of a version that counted less"
cp "$S/metrics" whole
cut -d, -f 1-18 whole >"$S/metrics"
run q status --prometheus
metric 'attempts_total{outcome="success"}' 4
metric 'attempt_duration_seconds_count' 9
metric 'attempt_cpu_seconds_total{mode="user"}' 0.000000
metric attempt_max_rss_bytes 0

t "what is no tally is none"
echo garbage >"$S/metrics"
run q status --prometheus
status 0
metric 'attempts_total{outcome="success"}' 0
q enqueue --id i -- true >/dev/null
drain
run q status --prometheus
metric 'attempts_total{outcome="success"}' 1
run q fsck
status 0

t "durations and queue times"
q enqueue --id j --max-retries 2 -- sh -c 'sleep 0.2; exit 1' >/dev/null
drain
run q show j --json
json_lines
is "$(grep -o '"queue_time":[0-9.]*,"duration":[0-9.]*' "$T/c/out" | wc -l | tr -d ' ')" 2
within "$(json duration)" 0.2 30
within "$(json queue_time)" 0 30

t "mistakes"
run q status --json --prometheus
status 2
run q status --prometheus x
status 2
run q --spool "$T/w/none" status --prometheus
status 1

finish
