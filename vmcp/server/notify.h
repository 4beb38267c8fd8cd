/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what systemd is told (sd_notify(3)); nothing where no one listens. */
#ifndef SRV_NOTIFY_H
#define SRV_NOTIFY_H

/* Open the way to who listens, before the sandbox: one socket, which stays. Its descriptor, or -1
 * where $NOTIFY_SOCKET names nobody; then nothing is sent. */
int srv_notify_open(void);

/* Send one state, as printf: lines of VARIABLE=VALUE. */
void srv_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1 with the monotonic time, which Type=notify-reload wants. */
void srv_notify_reloading(void);

#endif
