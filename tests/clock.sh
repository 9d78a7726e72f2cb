# clock.sh: clocks that jump, that stand in 1970 and 2050, or that cannot be read;
# and no hard links.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2317
. "${0%/*}/lib.sh"

cat >shim.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The time of day, and $SHIM_CLOCK's seconds; once it is asked for. */
int
clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	const char *file = getenv("SHIM_CLOCK");
	char text[32];
	ssize_t n;
	int fd, r;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, sizeof(time_t) >
		    sizeof(long) ? "__clock_gettime64" : "clock_gettime");
	if (getenv("SHIM_NOCLOCK") &&
	    strcmp(getenv("SHIM_NOCLOCK"), id == CLOCK_REALTIME ? "day" :
	    "monotonic") == 0) {
		errno = EPERM;
		return -1;
	}
	r = real(id, t);
	if (r == 0 && id == CLOCK_REALTIME && file &&
	    (fd = open(file, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		t->tv_sec += (time_t)atoll(text);
	}
	return r;
}

int
linkat(int a, const char *from, int b, const char *to, int flags)
{
	static int (*real)(int, const char *, int, const char *, int);

	if (getenv("SHIM_NOLINK")) {
		errno = EPERM;
		return -1;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "linkat");
	return real(a, from, b, to, flags);
}
END
shim='' noshim=
# shellcheck disable=SC2046,SC2086
if ! ${CC:-cc} $(make -s -C "$qt_root" language) -shared -fPIC -o shim.so shim.c -ldl >/dev/null 2>&1; then
	noshim="no compiler that makes a shared object"
elif ! LD_PRELOAD=$T/w/shim.so "$QUEUECTL" --version >/dev/null 2>&1; then
	noshim="the program bears no LD_PRELOAD"
elif SHIM_NOLINK=1 LD_PRELOAD=$T/w/shim.so "$QUEUECTL" --spool "$T/try" \
    enqueue -- true >/dev/null 2>&1; then
	noshim="LD_PRELOAD has no effect on the program"
	rm -rf "$T/try"
else
	shim=$T/w/shim.so
fi

if [ "$shim" ]; then
	t "a file system without hard links is refused"
	LD_PRELOAD=$shim
	SHIM_NOLINK=1
	export LD_PRELOAD SHIM_NOLINK
	run "$QUEUECTL" --spool "$T/nolink/a/spool" enqueue -- true
	unset LD_PRELOAD SHIM_NOLINK
	status 1
	out_is ""
	err_has "hard links"
	no test -e "$T/nolink/a/spool"
	rm -rf "$T/nolink"

	t "a clock that cannot be read"
	for w in day monotonic; do
		for c in 'enqueue -- true' 'worker start' list; do
			# shellcheck disable=SC2086
			run env LD_PRELOAD="$shim" SHIM_NOCLOCK=$w "$QUEUECTL" \
			    --spool "$T/noclock" $c
			status 1
			out_is ""
			err_has "cannot read the clock: "
		done
	done
	no test -e "$T/noclock"

	spool_init
	real=$(date +%s)
	SHIM_CLOCK=$T/w/offset
	export SHIM_CLOCK
	# The clock of all that follows; c: a command under it.
	at() { echo "$1" >offset.new && mv offset.new offset; }
	c() { LD_PRELOAD=$shim "$QUEUECTL" "$@"; }
	cpool() {
		LD_PRELOAD=$shim "$QUEUECTL" worker start "$@" \
		    >>"$T/worker.out" 2>>"$T/worker.err" &
		pool=$!
	}

	t "the clock in 1970"
	at $((10 - real))
	c enqueue --id y1 -- echo y1 >/dev/null
	c enqueue --id y2 --delay 0.3 -- true >/dev/null
	c enqueue --id y3 --max-retries 2 -- sh -c 'test $QUEUECTL_ATTEMPT = 2' >/dev/null
	like "$(name pending y1)" '^5-19700101T0000'
	run c worker start --drain
	status 0
	ok in_state 'done' y1 y2 y3
	like "$(name 'done' y3)" '^5-19700101T0000'
	run c list
	status 0
	out_like '^y1 +completed .*1970-01-01T00:00:'
	run c status
	status 0

	t "the clock in 2050"
	at $((2524608000 - real))
	c enqueue --id z1 --delay 0.3 -- echo z1 >/dev/null
	c enqueue --id z2 --max-retries 2 --backoff-base 1 -- \
	    sh -c 'test $QUEUECTL_ATTEMPT = 2' >/dev/null
	c enqueue --id z3 --timeout 0.3 --max-retries 1 -- sleep 20 >/dev/null
	like "$(name pending z1)" '^5@20500101T0000'
	run c worker start --drain
	status 0
	ok in_state 'done' z1 z2
	like "$(name 'done' z2)" '^5-20500101T0000'
	is "$(outcomes z3)" timeout
	within "$(took "$(attempt z3 1)")" 0.3 9 "seconds"
	run c list
	out_like '^z1 +completed .*2050-01-01T00:00:'

	t "forward from 1970 while jobs wait and run"
	at $((10 - real))
	c enqueue --id f1 --delay 3 -- true >/dev/null
	c enqueue --id f4 --delay 3000 -- true >/dev/null
	cpool --count 2
	c enqueue --id f2 --timeout 100 -- sh -c ': >f2.on; until [ -e f2.go ]; do sleep 0.03; done' >/dev/null
	await 10 test -e f2.on
	is "$(where f1)" pending
	at 0
	c enqueue --id f3 -- true >/dev/null
	await 10 in_state 'done' f3
	# a delay that was given while the clock was wrong begins anew
	await 10 sh -c "ls '$S/pending' | grep -q '@20.*-f4\$'"
	is "$(where f1)" pending
	await 10 in_state 'done' f1
	is "$(where f4)" pending
	q cancel f4 2>/dev/null
	# what ended meanwhile is not kept for a moment only
	ok in_state 'done' y1 y2 y3
	: >f2.go
	await 10 in_state 'done' f2
	is "$(outcomes f2)" exit=0 "a job that no clock may time out"

	t "back by a day while jobs wait and run"
	c enqueue --id b1 --max-retries 2 --backoff-base 1000 -- \
	    sh -c 'test $QUEUECTL_ATTEMPT = 2' >/dev/null
	await 10 in_state failed b1
	c enqueue --id b2 --timeout 100 -- sh -c ': >b2.on; until [ -e b2.go ]; do sleep 0.03; done' >/dev/null
	await 10 test -e b2.on
	at -86400
	c enqueue --id b3 -- true >/dev/null
	c enqueue --id b4 --delay 0.2 -- true >/dev/null
	await 10 in_state 'done' b3 b4
	: >b2.go
	await 10 in_state 'done' b2
	is "$(outcomes b2)" exit=0
	run c show b2
	status 0
	run c list --json
	status 0
	json_lines
	c worker stop --now 2>/dev/null
	pool_ends
	# Further ahead than any backoff: a pool that looks takes it as due.
	run c worker start --drain
	status 0
	is "$(outcomes b1)" "exit=1 exit=0"

	t "how long jobs are kept, after the clock was wrong"
	at $((10 - real))
	c enqueue --id k1 -- true >/dev/null
	c enqueue --id k2 --max-retries 1 -- false >/dev/null
	c worker start --drain 2>/dev/null
	like "$(name 'done' k1)" '^5-1970'
	q config set keep-done 7d
	q config set keep-dead 7d
	at 0
	run c purge --older-than 1h --dry-run
	out_lacks k1
	run c worker start --drain
	status 0
	ok in_state 'done' k1
	like "$(name 'done' k1)" '^5-20[2-9]'
	like "$(name dead k2)" '^5-20[2-9]'
	# by their new age they are purged
	at $((8 * 86400))
	touch -d "$(date -d @$((real - 86400 * 300)) +%Y-%m-%dT%H:%M:%S)" "$S/done/"*-k1
	run c purge --older-than 7d
	ok test ! -e "$S/ids/k1"
	# a person who wants all of them gone gets that
	at $((10 - real))
	c enqueue --id k3 -- true >/dev/null
	c worker start --drain 2>/dev/null
	at 0
	run c purge --older-than 0
	ok test ! -e "$S/ids/k3"
	# a leap that a pool sees: nobody knows which time was right
	c enqueue --id k4 -- true >/dev/null
	c worker start --drain 2>/dev/null
	# it purges when no job waits
	c enqueue --id k5 -- sh -c 'until [ -e k5.go ]; do sleep 0.03; done' >/dev/null
	c enqueue --id k6 -- true >/dev/null
	cpool
	await 10 in_state processing k5
	at $((30 * 86400))
	: >k5.go
	await 10 in_state 'done' k6
	c enqueue --id k7 --delay 0.3 -- true >/dev/null
	await 10 in_state 'done' k7
	c worker stop 2>/dev/null
	pool_ends
	ok in_state 'done' k4 k5
	# one that starts then takes the time for right
	c worker start --drain 2>/dev/null
	no in_state 'done' k4
	q config unset keep-done
	q config unset keep-dead
	at 0

	t "a clock that goes back and forth"
	cpool --count 2
	for o in 0 -100000 50000 -3 7 $((20 - real)) 0; do
		at "$o"
		for n in 1 2 3 4 5; do
			echo '{"command":"echo $QUEUECTL_ID >>ran"}'
		done | c enqueue - >>ids
	done
	await 15 sh -c '[ "$(sort -u ran | wc -l)" = 35 ]'
	await 10 has pending 0
	await 10 has processing 0
	is "$(sort ran)" "$(sort ids)" "each once"
	c worker stop 2>/dev/null
	pool_ends
	run q fsck
	status 0
	unset SHIM_CLOCK
else
	skip "clocks, and no hard links: $noshim"
fi

finish
