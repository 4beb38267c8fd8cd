/* SPDX-License-Identifier: Apache-2.0 */
/* serial.h - a VM's serial port log: a file with a bounded size.
 *
 * Positions count every byte since the log was made, as those of
 * instances.getSerialPortOutput do; the last EMU_SERIAL_KEEP of them can be read.
 */
#ifndef EMU_SERIAL_H
#define EMU_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

enum { EMU_SERIAL_KEEP = 1024 * 1024, EMU_SERIAL_MAX = 2 * EMU_SERIAL_KEEP };

struct emu_serial;

/* A log at `path`, at rest: no descriptor is open. */
VMCP_MUST_CHECK int emu_serial_new(const char *path, struct emu_serial **ret,
                                   struct vmcp_error *err);
void emu_serial_free(struct emu_serial *serial);

/* Get ready for writing: the file is made, with mode 0600, or gone on with. And rest again; a log
 * at rest can be read. */
VMCP_MUST_CHECK int emu_serial_open(struct emu_serial *serial, struct vmcp_error *err);
void emu_serial_rest(struct emu_serial *serial);

/* Append. What cannot be written (a full disk, a log at rest) is lost: a guest's output stops
 * nothing. */
void emu_serial_write(struct emu_serial *serial, const char *data, size_t len);

/* From position `start`, or from the oldest byte kept if that is later: at most EMU_SERIAL_KEEP
 * bytes, and no more than `out` has room for. *ret_next is the position after them. */
VMCP_MUST_CHECK int emu_serial_read(struct emu_serial *serial, uint64_t start, struct vmcp_buf *out,
                                    uint64_t *ret_next, struct vmcp_error *err);

#endif
