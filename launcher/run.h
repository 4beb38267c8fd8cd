/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one run of a verb: whom to ask, whom to believe, what was said, who we are to the cloud.
 *
 * The steps stand on their own so that verbs can differ: launch_run_set_up() needs no network
 * beyond the metadata server, launch_run_fetch() asks the responder, launch_run_cloud() readies the
 * Compute API, launch_run_state() opens (and locks) the machine's state.
 */
#ifndef LAUNCH_RUN_H
#define LAUNCH_RUN_H

#include <stdbool.h>

#include "cloud/compute.h"
#include "cloud/destination.h"
#include "cloud/metadata.h"
#include "credentials/token.h"
#include "http/ask.h"
#include "http/client.h"
#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/name.h"
#include "lib/trust.h"
#include "report.h"
#include "settings.h"
#include "state/state.h"

struct launch_run {
    struct launch_settings *settings; /* borrowed; resolved by the caller */
    struct launch_report *report;     /* borrowed */
    bool place_optional;              /* project and zones need not be known */
    struct launch_metadata metadata;
    struct http_client *http;
    struct http_endpoint endpoint;
    enum vmcp_format format;
    char domain[VMCP_DOMAIN_MAX + 1];
    struct vmcp_trust *trust;
    char *trust_source; /* where the keys come from, for people */
    char *dir;          /* of the state */
    char hostid[VMCP_HOSTID_LEN + 1];
    char machine[VMCP_NAME_MAX + 1]; /* "" until it is known */
    struct vmcp_answer answer;
    struct launch_state state;
    json_t *settled; /* ids of VMs that earlier runs sent and this one found made; owned */
    struct launch_destinations destinations;
    char *iam, *audience; /* what the token is for; owned */
    struct launch_token *token;
    struct launch_compute compute;
};
#define LAUNCH_RUN(the_settings, the_report)                                      \
    {                                                                             \
        .settings = (the_settings), .report = (the_report), .state = LAUNCH_STATE \
    }

/* Make the HTTP client and find the metadata server. */
VMCP_MUST_CHECK int launch_run_begin(struct launch_run *run, struct vmcp_error *err);
/* Endpoint, domain, machine ("" where only the answer says it), state folder. The settings are
 * resolved. Without an endpoint a domain is needed. */
VMCP_MUST_CHECK int launch_run_name(struct launch_run *run, struct vmcp_error *err);
/* The trusted keys and the host id: what asking needs. VMCP_E_USAGE without an endpoint. */
VMCP_MUST_CHECK int launch_run_trust(struct launch_run *run, struct vmcp_error *err);
/* Both. */
VMCP_MUST_CHECK int launch_run_set_up(struct launch_run *run, struct vmcp_error *err);
/* Open the state of run->machine; with `write` locked. */
VMCP_MUST_CHECK int launch_run_state(struct launch_run *run, bool write, struct vmcp_error *err);
/* Ask, for as long as --boot-timeout says, and verify. Fills answer and machine. Nothing of a bad
 * answer is kept. */
VMCP_MUST_CHECK int launch_run_fetch(struct launch_run *run, struct vmcp_error *err);
/* The same; then what earlier runs left open is settled, or told of where nothing is written. */
VMCP_MUST_CHECK int launch_run_settle(struct launch_run *run, bool write, struct vmcp_error *err);
/* All of it: what is open is settled where something is written (a dry run tells of it), the answer
 * fetched, held to the highest serial that was seen, and its own serial kept. Where the machine is
 * known the settling comes first: it needs no responder. */
VMCP_MUST_CHECK int launch_run_ask(struct launch_run *run, struct vmcp_error *err);
/* VMCP_E_SERIAL for an answer older than one that was seen. It was asked for as floor already,
 * unless the machine was not known then. */
VMCP_MUST_CHECK int launch_run_check_serial(const struct launch_run *run, struct vmcp_error *err);
/* Project and zones alone. */
VMCP_MUST_CHECK int launch_run_place(struct launch_run *run, struct vmcp_error *err);
/* Where the Compute and IAM APIs are, and where tokens may go. No request. */
VMCP_MUST_CHECK int launch_run_api(struct launch_run *run, struct vmcp_error *err);
/* Project, zones, credentials, API. No request beyond the metadata server's. */
VMCP_MUST_CHECK int launch_run_cloud(struct launch_run *run, struct vmcp_error *err);

void launch_run_clear(struct launch_run *run);
#define auto_run VMCP_AUTO(launch_run_clear)

#endif
