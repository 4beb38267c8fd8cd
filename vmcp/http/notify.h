/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what systemd is told (sd_notify(3)); nothing where no one listens. */
#ifndef HTTP_NOTIFY_H
#define HTTP_NOTIFY_H

/* Open the way to who listens, before the sandbox: one socket, which stays. Its descriptor, or -1
 * where $NOTIFY_SOCKET names nobody; then nothing is sent. */
int http_notify_open(void);

/* Send one state, as printf: lines of VARIABLE=VALUE. */
void http_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1 with the monotonic time, which Type=notify-reload wants. */
void http_notify_reloading(void);

#endif
