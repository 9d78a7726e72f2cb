/*
 * worker/order.c: the messages between a pool's dispatcher and its workers.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>

#include "worker/order.h"
#include "worker/self.h"

int
channel_open(int *dispatcher, int *worker)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return -1;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	*dispatcher = fd[0];
	*worker = fd[1];
	return 0;
}

bool
channel_send(int fd, const void *message, size_t size)
{
	ssize_t n;

	do
		n = send(fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

int
channel_receive(int fd, void *messages, size_t size, size_t n)
{
	size_t at = 0;
	ssize_t r;

	/* A message is written in one piece and far smaller than the buffer of
	 * a socket, so there is a whole number of them; if it is not, the rest
	 * of the last one is on its way. */
	do {
		r = recv(fd, (char *)messages + at, n * size - at,
		    at % size ? 0 : MSG_DONTWAIT);
		if (r > 0)
			at += (size_t)r;
	} while (r < 0 ? errno == EINTR : r && at % size);
	if (at && at % size == 0)
		return (int)(at / size);
	return r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}
