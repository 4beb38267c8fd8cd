/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - what vmcpd tells its operator: one line on standard error.
 *
 * Where standard error is the journal, a line begins with its level as sd-daemon(3) has it ("<3>"),
 * so that `journalctl -p err` finds it. Anywhere else but on a terminal it begins with the time, as
 * the access log's lines do.
 */
#ifndef SRV_MESSAGE_H
#define SRV_MESSAGE_H

#include <stdbool.h>

#include "lib/error.h"

/* As in syslog(3). */
enum srv_level { SRV_ERROR = 3, SRV_WARNING = 4, SRV_INFO = 6 };

enum { SRV_TIME_CHARS = 32 };

/* Now: RFC 3339, UTC, microseconds. */
void srv_message_time(char ret[static SRV_TIME_CHARS]);

/* From now on no line has a time: what runs is no server. */
void srv_message_without_times(void);

/* One line, as printf, without its newline; cut where it is over 4 KiB, and whatever would break
 * the line or the terminal becomes question marks. */
void srv_message(enum srv_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "vmcpd: error: WHERE: TEXT [CODE]" */
void srv_message_error(const struct vmcp_error *err);

/* Is standard error the journal? (JOURNAL_STREAM, systemd.exec(5)) */
bool srv_message_journal(void);

#endif
