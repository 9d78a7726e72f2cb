/*
 * measure.c: starting commands, and measuring them: time, page faults, system
 * calls, context switches.  See limit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"

int null = -1;

/* In a function of its own, as vfork asks for. */
pid_t
spawn(char **argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(null, 1);
		dup2(null, 2);
		execve(argv[0], argv, environ);
		_exit(127);
	}
	need(pid > 0, "vfork");
	return pid;
}

void
reap(void)
{
	int status;

	need(wait4(-1, &status, 0, NULL) > 0, "wait4");
	errno = ECHILD;
	need(WIFEXITED(status) && WEXITSTATUS(status) != 127, "a command");
}

void
run_spawn(long n, long flight, char **argv)
{
	double began = now();
	long i;

	for (i = 0; i < n; i++) {
		if (i >= flight)
			reap();
		spawn(argv);
	}
	for (i = 0; i < n && i < flight; i++)
		reap();
	printf("%.6f\n", now() - began);
}

/* The status is the command's. */
int
run_time(char **argv)
{
	double began = now();
	pid_t pid = spawn(argv);
	struct rusage use;
	int status;

	need(wait4(pid, &status, 0, &use) == pid, "wait4");
	printf("%.6f %ld %ld\n", now() - began, use.ru_minflt, use.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Counts the entries into system calls, from the exec that starts it. */
int
run_calls(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
	    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
	    PTRACE_O_EXITKILL;
	struct __ptrace_syscall_info info;
	unsigned long calls = 0;
	int status, result = 1, begun = 0;
	pid_t first = fork(), pid;

	need(first >= 0, "fork");
	if (first == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		dup2(null, 1);
		dup2(null, 2);
		execve(argv[0], argv, environ);
		_exit(127);
	}
	need(waitpid(first, &status, 0) == first, "waitpid");
	need(ptrace(PTRACE_SETOPTIONS, first, NULL, options) == 0, "ptrace");
	ptrace(PTRACE_SYSCALL, first, NULL, 0L);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		long sig = 0;

		if (!WIFSTOPPED(status)) {
			if (pid == first)
				result = WIFEXITED(status) ?
				    WEXITSTATUS(status) : 1;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info,
			    &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
				begun |= info.entry.nr == SYS_execve;
				calls += (unsigned long)begun;
			}
		} else if (status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP &&
		    WSTOPSIG(status) != SIGSTOP) {
			sig = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, sig);
	}
	printf("%lu\n", calls);
	return result;
}

static unsigned long
switches(char **pid)
{
	unsigned long sum = 0;

	for (; *pid; pid++) {
		char line[256];
		FILE *f;

		snprintf(line, sizeof line, "/proc/%s/status", *pid);
		f = fopen(line, "r");
		need(f != NULL, line);
		while (fgets(line, sizeof line, f))
			if (!strncmp(line, "voluntary_ctxt_switches:", 24))
				sum += strtoul(line + 24, NULL, 10);
		fclose(f);
	}
	return sum;
}

void
run_switches(long seconds, char **pid)
{
	const struct timespec t = { seconds, 0 };
	unsigned long before = switches(pid);

	nanosleep(&t, NULL);
	printf("%lu\n", switches(pid) - before);
}
