/*
 * worker/order.h: the messages between a pool's dispatcher and its workers.
 *
 * Each worker has one channel to the dispatcher, a socket pair.  Messages have
 * a fixed size and never stall the sender: they are few, and the kernel's
 * buffer takes hundreds of them.  The end of file says that the other side has
 * died.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_ORDER_H
#define WORKER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

/* From the dispatcher. */
struct order {
	enum {
		ORDER_RUN,       /* claim and run the job of that name */
		ORDER_TIDY,      /* recover jobs of dead workers, and purge */
		ORDER_CANCEL,    /* see whether your job is cancelled */
		ORDER_STOP,      /* end after your job */
		ORDER_NOW        /* end your job, and end */
	} what;
	uint32_t number;         /* RUN, TIDY: a report names it */
	uint32_t config;         /* changes with each change of config */
	enum job_state state;    /* RUN: where the job is, */
	struct job_name name;    /* …and its name there */
	bool quiet;              /* RUN: that it is refused was said before */
	bool expire;             /* TIDY: purge jobs that are kept no longer */
};

/*
 * From a worker.
 *
 * A worker says ENDED before it records the end, so its next order comes early.
 * If the record then fails (a full disk), the worker may have to try for long,
 * and another worker should have that order: RETURNED.  For the dispatcher the
 * worker is busy with the order before it again, until a second ENDED.
 */
struct report {
	enum {
		REPORT_READY,    /* it has started */
		REPORT_ENDED,    /* the job has ended, or cannot be claimed */
		REPORT_TIDIED,
		REPORT_RETURNED  /* it cannot take the order now; it reports the
		                  * end of its last order once more */
	} what;
	uint32_t number;         /* of the order; RETURNED: of the order before
	                          * it is `before` */
	uint32_t before;
	int result;              /* ENDED: of spool_claim(); TIDIED: of
	                          * spool_recover() */
	size_t held;             /* TIDIED: what spool_recover() says */
	bool more;               /* TIDIED: there is more to purge */
	int64_t took;            /* TIDIED: purging took so many microseconds */
};

/* Makes a channel, for the dispatcher and for a worker.  -1: errno. */
int channel_open(int *dispatcher, int *worker);
/* Whether it was sent.  If not, the other side is dead or does not read. */
bool channel_send(int fd, const void *message, size_t size);
/* Reads at most n messages into an array and does not wait for them.  Returns
 * their number; 0: there are none now; -1: the other side is dead. */
int channel_receive(int fd, void *messages, size_t size, size_t n);

#endif
