/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - what a signed document is about: a machine, or a job.
 *
 * Each kind has its own `typ` in the header (RFC 8725, section 3.11) and its own claim for the
 * content, so that an answer of one kind is never taken for the other. Names and serials belong to
 * a kind: the machine `web` and the job `web` have nothing in common.
 */
#ifndef VMCP_KIND_H
#define VMCP_KIND_H

enum vmcp_kind { VMCP_KIND_MACHINE, VMCP_KIND_JOB, VMCP_KINDS };

/* "machine", "job": the word for people, and the name of the claim. */
const char *vmcp_kind_name(enum vmcp_kind kind);

/* "vmcp+jwt", "vmcp-job+jwt". */
const char *vmcp_kind_typ(enum vmcp_kind kind);

#endif
