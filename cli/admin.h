/*
 * admin.h: the commands that look after a queue: worker, pause, dlq, purge,
 * config, fsck.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ADMIN_H
#define ADMIN_H

#include "cli/call.h"

extern const struct option_def worker_start_options[], worker_stop_options[],
    dlq_options[], purge_options[], json_options[], dlq_list_options[],
    fsck_options[];

int command_worker_start(struct call *);
int command_worker_stop(struct call *);
int command_worker_list(struct call *);
int command_pause(struct call *);
int command_resume(struct call *);
int command_dlq_list(struct call *);
int command_dlq_retry(struct call *);
int command_dlq_purge(struct call *);
int command_purge(struct call *);
int command_config_set(struct call *);
int command_config_get(struct call *);
int command_config_unset(struct call *);
int command_fsck(struct call *);

#endif
