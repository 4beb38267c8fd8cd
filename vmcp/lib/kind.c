/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

const char *vmcp_kind_name(enum vmcp_kind kind)
{
    return kind == VMCP_KIND_JOB ? "job" : "machine";
}

const char *vmcp_kind_typ(enum vmcp_kind kind)
{
    return kind == VMCP_KIND_JOB ? "vmcp-job+jwt" : "vmcp+jwt";
}
