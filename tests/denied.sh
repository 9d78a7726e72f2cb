# denied.sh: system calls that a container's filter denies, with EPERM as old
# filters do it and with ENOSYS: the program takes another way.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/lib.sh"

cat >deny.c <<'E'
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define FAIL(e) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e))
#define JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define JSET (BPF_JMP | BPF_JSET | BPF_K)
/* If it is so, goes on; else skips n. */
#define JUMP(test, k, n) BPF_JUMP(test, (unsigned)(k), 0, n)
/* where an argument has its lower half */
#define LOW (*(const char *)&(const int){ 1 } ? 0u : 4u)
#define PASS BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct { const char *name; long number; } calls[] = {
	{ "renameat2", SYS_renameat2 }, { "syncfs", SYS_syncfs },
	{ "inotify_init1", SYS_inotify_init1 }, { "prctl", SYS_prctl },
#ifdef SYS_vfork
	{ "vfork", SYS_vfork },
#endif
#ifdef SYS_close_range
	{ "close_range", SYS_close_range },
#endif
};

static unsigned e;
static const char *which;

static int
is_denied(const char *call)
{
	return !strcmp(which, "all") || !strcmp(which, call);
}

/* Denies a call if that argument has one of these bits, and leaves the number
 * of the call loaded. */
static unsigned short
deny_flags(struct sock_filter *f, long call, int arg, unsigned bits)
{
	const struct sock_filter deny[] = {
		JUMP(JEQ, call, 4),
		LOAD(offsetof(struct seccomp_data, args) +
		    8 * (unsigned)arg + LOW),
		JUMP(JSET, bits, 1), FAIL(e),
		LOAD(offsetof(struct seccomp_data, nr)),
	};

	memcpy(f, deny, sizeof deny);
	return sizeof deny / sizeof *deny;
}

/* deny ERRNO CALL CMD...: CMD cannot make that call.  `vfork` is clone with
 * CLONE_VFORK, too; `all` is all of them. */
int
main(int argc, char **argv)
{
	struct sock_filter f[64];
	struct sock_fprog p = { 0, f };
	unsigned i;

	if (argc < 4)
		return 125;
	e = !strcmp(argv[1], "EPERM") ? EPERM : ENOSYS;
	which = argv[2];
	f[p.len++] = (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr));
	for (i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (!is_denied(calls[i].name))
			continue;
		f[p.len++] = (struct sock_filter)JUMP(JEQ, calls[i].number, 1);
		f[p.len++] = (struct sock_filter)FAIL(e);
	}
	if (is_denied("vfork"))
		p.len += deny_flags(f + p.len, SYS_clone, 0, CLONE_VFORK);
	/* pipe() of some libraries is pipe2() without flags */
	if (is_denied("pipe2"))
		p.len += deny_flags(f + p.len, SYS_pipe2, 1, O_CLOEXEC);
	f[p.len++] = (struct sock_filter)PASS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0)
		return 125;
	execvp(argv[3], argv + 3);
	return 126;
}
E
if ! ${CC:-cc} -o deny deny.c 2>cc.err; then
	skip "filters: no headers for them"
	finish
elif ! ./deny EPERM renameat2 true; then
	skip "filters: the kernel knows none"
	finish
fi

# denied ERRNO CALLS: a life of jobs under that filter.
denied() {
	t "$1 from $2"
	S=$T/$1-$2 QUEUECTL_SPOOL=$T/$1-$2
	e=$1 calls=$2
	d() { ./deny "$e" "$calls" "$QUEUECTL" "$@"; }
	d config set backoff-base 0
	d config set sync full
	d enqueue --id one -- sh -c 'echo out' >out 2>err
	is "$(cat out)" one
	awk 'BEGIN { while (n++ < 40)
		print "{\"id\":\"b" n "\",\"command\":\"echo $QUEUECTL_ID\"}" }' |
	    d enqueue - >ids 2>err
	is "$(wc -l <ids | tr -d ' ')" 40
	is "$(cat err)" ""
	d enqueue --id words --command 'echo plain words' >/dev/null
	d enqueue --id no-program --max-retries 1 -- /no/such/program >/dev/null
	d enqueue --id no-dir --max-retries 1 --cwd /no/such/dir -- true >/dev/null
	d enqueue --id twice --max-retries 2 -- \
	    sh -c 'test "$QUEUECTL_ATTEMPT" = 2' >/dev/null
	d enqueue --id urgent --priority 0 -- true >/dev/null
	d worker start --drain -c 2 >/dev/null 2>&1
	is $? 0
	for id in one b1 b40 words twice urgent; do
		is "$(where "$id")" 'done' "$id"
	done
	like "$(outcomes no-program)" '^error=no such program'
	like "$(outcomes no-dir)" '^error=cannot enter its directory'
	is "$(d logs b7)" b7
	is "$(outcomes twice)" "exit=1 exit=0"
	d dlq retry --all >/dev/null
	is "$(where no-dir)" pending
	d cancel no-dir no-program 2>/dev/null
	is "$(where no-dir) $(where no-program)" "dead dead"
	# a pool: ready when it says so, hears of a job, of a cancel and of a stop
	d worker start --daemon -c 2
	is $? 0
	is "$(d enqueue --wait --id waited -- true 2>/dev/null)" waited
	d enqueue --id long -- sleep 60 >/dev/null
	await 10 in_state processing long
	d cancel long 2>/dev/null
	like "$(outcomes long)" '^cancelled'
	d worker stop 2>/dev/null
	is $? 0
	ok d fsck
}

for call in renameat2 syncfs pipe2 vfork close_range inotify_init1 prctl; do
	denied EPERM $call
done
denied EPERM all
denied ENOSYS all

finish
