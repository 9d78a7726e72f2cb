/*
 * pty.c: runs a command on a terminal of its own.
 *
 *	pty ROWS COLUMNS CMD...
 *
 * What the command writes goes to standard output; what comes on standard input
 * goes to it as keys.  A line "size ROWS COLUMNS" there changes the window
 * instead, and "kill N" sends a signal.  Prints the modes that the terminal had
 * before and after, and the exit status (128 + n: signal n), on standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#define _XOPEN_SOURCE 600
#define _DEFAULT_SOURCE
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void
resize(int fd, int rows, int columns)
{
	struct winsize ws = { .ws_row = (unsigned short)rows,
		.ws_col = (unsigned short)columns };

	ioctl(fd, TIOCSWINSZ, &ws);
}

static void
print_modes(int fd, const char *when)
{
	struct termios t;

	if (tcgetattr(fd, &t) == 0)
		fprintf(stderr, "%s: %lx\n", when, (unsigned long)t.c_lflag);
}

/* Obeys a line of input.  Returns 0 at the end of the input. */
static int
obey(int master, pid_t pid)
{
	char line[64];
	int a, b;

	if (!fgets(line, sizeof line, stdin))
		return 0;
	if (sscanf(line, "size %d %d", &a, &b) == 2)
		resize(master, a, b);
	else if (sscanf(line, "kill %d", &a) == 1)
		kill(pid, a);
	else if (write(master, line, strcspn(line, "\n")) < 0)
		return 0;
	return 1;
}

int
main(int argc, char **argv)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, status;
	struct pollfd p[2];
	char bytes[4096];
	ssize_t n;
	pid_t pid;

	if (argc < 4 || master < 0 || grantpt(master) < 0 ||
	    unlockpt(master) < 0 ||
	    (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		return 99;
	setvbuf(stdin, NULL, _IONBF, 0);
	resize(master, atoi(argv[1]), atoi(argv[2]));
	print_modes(slave, "before");
	pid = fork();
	if (pid == 0) {
		close(master);
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		dup2(slave, 0);
		dup2(slave, 1);
		dup2(slave, 2);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	p[0] = (struct pollfd){ .fd = master, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = 0, .events = POLLIN };
	while (waitpid(pid, &status, WNOHANG) == 0) {
		poll(p, 2, 20);
		if (p[0].revents & POLLIN &&
		    (n = read(master, bytes, sizeof bytes)) > 0) {
			fwrite(bytes, 1, (size_t)n, stdout);
			fflush(stdout);
		}
		if (p[1].fd >= 0 && p[1].revents && !obey(master, pid))
			p[1].fd = -1;
	}
	while (poll(p, 1, 0) > 0 && (n = read(master, bytes, sizeof bytes)) > 0)
		fwrite(bytes, 1, (size_t)n, stdout);
	print_modes(slave, "after");
	fprintf(stderr, "status %d\n", WIFSIGNALED(status) ?
	    128 + WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}
