# container.sh: the image of contrib/Containerfile, and one with queuectl in it.
# podman runs them on a machine that is thrown away.  Its settings have all that
# is special there, so the test can run the commands of contrib/README.md.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine
need busybox podman
machine disk
mkdir "$disk/etc/containers"
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/c"\ngraphroot = "/srv/c"\n' \
    >"$disk/etc/containers/storage.conf"
cat >"$disk/etc/containers/containers.conf" <<'.'
[containers]
cgroups = "disabled"
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
.
: >"$disk/etc/inittab"
boot busybox init
# podman complains, at level error, that there is no systemd for its timers.
podman() { inside podman --log-level fatal "$@"; }
# in_queue WORD...: queuectl in the container.
in_queue() { podman exec queue queuectl "$@"; }
done_in() { in_queue show --json "$1" | grep -q '"state":"completed"'; }
runs_in() { in_queue show --json "$1" | grep -q '"state":"processing"'; }

for e in buildah podman; do
	t "make image ENGINE=$e"
	if ! command -v $e >/dev/null; then
		skip "no $e"
		continue
	fi
	run inside sh -c "cd /src && BUILDAH_ISOLATION=chroot \
	    make -s image ENGINE=$e"
	status 0
	# podman makes layers, some of which vfs copies whole.
	[ $e = podman ] || within "$(podman save queuectl | wc -c)" \
	    100000 400000 "bytes of the image"
done
v=$("$QUEUECTL" --version)
is "$(podman run --rm queuectl --version)" "$v"
ok podman image exists "queuectl:${v##* }"

t "the two commands"
commands 'A container' >lines
is "$(grep -c . lines)" 2
is "$(head -n 1 lines)" "make image"
line=$(sed -n '2s/^podman //p' lines)
# shellcheck disable=SC2086 # words
run podman $line
status 0
is "$(in_queue enqueue --id a -- queuectl --version)" a
await 10 done_in a
is "$(in_queue logs a)" "$v"
is "$(podman inspect -f '{{.Config.User}}' queue)" 65532:65532
run podman healthcheck run queue
status 0

t "from the start of a container to its first job"
podman stop queue >/dev/null
is "$(podman run --rm -v queue:/var/spool/queuectl queuectl \
    enqueue --id first -- queuectl --version)" first
begin=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
podman start queue >/dev/null
await 10 done_in first
attempt=$(grep '^Attempt: 1' "$disk/root/srv/c/volumes/queue/_data/ids/first")
took=$(minus "$(field start "$attempt")" "$begin")
within "$took" 0 2 seconds
echo "container.sh: $took s from podman start to the first job" >&2

t "a job without a shell"
in_queue enqueue --command 'echo x' --id sh --max-retries 1 >/dev/null
run in_queue wait sh
status 1
run in_queue show sh
out_has "no such program"

t "a stop ends a long job, in time and without a charge"
in_queue enqueue --id late --delay 1h -- queuectl --version >/dev/null
in_queue enqueue --id long -- queuectl wait late >/dev/null
await 10 runs_in long
begin=$(date +%s)
run podman stop queue
status 0
within $(($(date +%s) - begin)) 4 9 "seconds of the stop"
is "$(podman inspect -f '{{.State.ExitCode}}' queue)" 0
podman logs queue >log 2>&1
ok grep -q 'Job requeued: long' log

t "another container finds the queue"
podman rm queue >/dev/null
# shellcheck disable=SC2086
run podman $line
status 0
await 10 runs_in long
in_queue cancel late long >/dev/null
is "$(in_queue logs a)" "$v"

t "the machine goes down and up"
in_queue enqueue --id b --delay 2 -- queuectl --version >/dev/null
lost
boot busybox init
# what the service podman-restart does
run podman start --all --filter restart-policy=always
status 0
await 10 done_in b
podman rm -f -t 0 queue >/dev/null

t "a root that cannot be written to"
# shellcheck disable=SC2086
run podman ${line% queuectl} --read-only queuectl worker start --count 3
status 0
in_queue enqueue --id c -- queuectl --version >/dev/null
await 10 done_in c
run in_queue status --json
jis workers 3
run podman stop queue
status 0

t "an image of one's own"
own=$disk/root/srv/own
mkdir -p "$own/bin"
cp "$(command -v busybox)" "$own/bin/busybox"
copy=$(grep -o '^COPY --from.*' "$qt_root/contrib/README.md")
is "$(grep -cxF "#	$copy" "$qt_root/contrib/Containerfile")" 1
printf 'FROM scratch\nCOPY bin /bin
RUN ["busybox", "ln", "-s", "busybox", "%s"]\n%s
RUN ["queuectl", "config", "set", "stop-grace", "4"]
CMD ["queuectl", "worker", "start"]\n' /bin/sh "$copy" >"$own/Containerfile"
run podman build --isolation chroot -t own /srv/own
status 0
run podman run -d --name own -v own:/var/spool/queuectl own
status 0
is "$(podman exec own queuectl enqueue --id s --command 'echo $((6 * 7))')" s
is "$(podman exec own queuectl wait s; podman exec own queuectl logs s)" 42

t "as process 1 it reaps"
podman exec own queuectl enqueue --id orphan --command \
    '(busybox sleep 0.2 &) ; (busybox sleep 0.1 &) ; exit 0' >/dev/null
podman exec own queuectl wait orphan
# the pool and its worker, and the ps
processes() { podman exec own busybox ps | sed 1d | wc -l; }
reaped() { [ "$(processes)" -eq 3 ]; }
await 5 reaped

t "a stop kills a job that does not want to end, in time"
podman exec own queuectl enqueue --id deaf --command \
    'trap "" TERM; : >/on; while :; do busybox sleep 1; done' >/dev/null
await 10 podman exec own busybox test -e /on
run podman stop own
status 0
is "$(podman inspect -f '{{.State.ExitCode}}' own)" 0
run podman start own
await 10 podman exec own queuectl show --json deaf
like "$(podman exec own queuectl show --json deaf)" '"outcome":"requeued"'
podman rm -f -t 0 own >/dev/null
lost
finish
