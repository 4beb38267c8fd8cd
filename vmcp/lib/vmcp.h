/* SPDX-License-Identifier: Apache-2.0 */
/* vmcp.h - all of libvmcp that a program of others needs, for C and C++.
 *
 * Each header can be included alone in C. C++ includes this one: it says that the functions are
 * C's. Link with `pkg-config --cflags --libs --static libvmcp`.
 */
#ifndef VMCP_H
#define VMCP_H

/* Outside of the extern "C" below: C++ has templates in some of them. */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "answer.h"
#include "base64.h"
#include "config.h"
#include "diag.h"
#include "duration.h"
#include "error.h"
#include "file.h"
#include "gcehint.h"
#include "job.h"
#include "jobmacro.h"
#include "joburi.h"
#include "json.h"
#include "json_locate.h"
#include "jwk.h"
#include "jws.h"
#include "key.h"
#include "keylist.h"
#include "kind.h"
#include "limits.h"
#include "machine.h"
#include "macro.h"
#include "name.h"
#include "question.h"
#include "respond.h"
#include "schedule.h"
#include "sign.h"
#include "trust.h"
#include "v1.h"
#include "zone.h"

#ifdef __cplusplus
}
#endif

#endif
