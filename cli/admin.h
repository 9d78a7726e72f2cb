/*
 * admin.h: worker, dlq, purge, pause, config, fsck.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ADMIN_H
#define ADMIN_H

#include "cli/call.h"

extern const struct option_def start_options[], stop_options[], json_options[],
    all_options[], purge_options[], fsck_options[];

int command_worker_start(struct call *c);
int command_worker_stop(struct call *c);
int command_worker_list(struct call *c);
int command_dlq_list(struct call *c);
int command_dlq_retry(struct call *c);
int command_dlq_purge(struct call *c);
int command_purge(struct call *c);
int command_config_set(struct call *c);
int command_config_unset(struct call *c);

/* A setting, so that it survives whatever comes. */
int command_pause(struct call *c);
int command_resume(struct call *c);
int command_config_get(struct call *c);
int command_fsck(struct call *c);

#endif
