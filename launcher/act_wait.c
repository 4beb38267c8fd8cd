/* SPDX-License-Identifier: Apache-2.0 */
/* What is waited for after a VM runs: its port, its guest attribute. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "act.h"
#include "clock.h"
#include "cloud/instance.h"
#include "cloud/waitapi.h"
#include "plan/draft.h"
#include "plan/merge.h"

enum { POLL_S = 2 };

/* Project and network of the VM's first interface, as far as they are names that may stand in a
 * command line. */
static void find_network(const struct launch_run *run, const struct launch_job *job,
                         char project[static LAUNCH_PROJECT_MAX + 1],
                         char network[static LAUNCH_LABEL_MAX + 1])
{
    const json_t *nics = json_object_get(job->instance, "networkInterfaces");
    const char *url = json_string_value(json_object_get(json_array_get(nics, 0), "network"));
    const char *path = url ? launch_resource_path(url) : NULL;
    char host[LAUNCH_PROJECT_MAX + 1];
    snprintf(project, LAUNCH_PROJECT_MAX + 1, "%s", run->compute.project);
    snprintf(network, LAUNCH_LABEL_MAX + 1, "NETWORK");
    if (path && launch_is_label(launch_last_part(path)))
        snprintf(network, LAUNCH_LABEL_MAX + 1, "%s", launch_last_part(path));
    /* A shared network is another project's. */
    if (path && sscanf(path, "projects/%319[^/]/", host) == 1 && launch_is_project(host))
        memcpy(project, host, sizeof(host));
}

/* What may be in the way, as a command to run: the launcher makes no firewall rule itself. The
 * range is that of the automatic subnetworks of the default network; others have their own. */
static void tell_firewall(struct launch_run *run, const struct launch_job *job, long long port,
                          bool external)
{
    char project[LAUNCH_PROJECT_MAX + 1], network[LAUNCH_LABEL_MAX + 1];
    find_network(run, job, project, network);
    bool known = strcmp(network, "default") == 0 && !external;
    launch_say(run->report,
               "if no firewall rule lets it through, this makes one: gcloud compute firewall-rules "
               "create vmcp-api-%lld --project=%s --network=%s --direction=INGRESS "
               "--allow=tcp:%lld --target-tags=vmcp-api-%lld --source-ranges=%s%s",
               port, project, network, port, port, known ? "10.128.0.0/9" : "RANGE",
               known ? "" : " (RANGE: the addresses that are to reach it)");
}

int launch_job_wait_api(struct launch_run *run, const struct launch_job *job,
                        struct vmcp_error *err)
{
    long long port = launch_parameter_integer(job->subject->answer, "apiPort", 0);
    bool external = run->settings->wait_api && *run->settings->wait_api;
    if (!run->settings->wait_api)
        return 0;
    if (!port) {
        launch_say(run->report, "the machine has no apiPort: nothing to wait for");
        return 0;
    }
    if (strcmp(launch_instance_status(job->instance), "RUNNING") != 0)
        return vmcp_fail_at(err, VMCP_E_OPERATION, job->plan.name,
                            "the VM is %s: nothing will answer at port %lld",
                            launch_instance_status(job->instance), port);
    const char *ip = external ? launch_instance_external_ip(job->instance)
                              : launch_instance_internal_ip(job->instance);
    int rc = launch_wait_port(run->report, ip, (int)port, (int)run->settings->api_timeout, err);
    if (rc == 0)
        launch_say(run->report, "%s answers at %s port %lld", job->plan.name, ip, port);
    if (rc == -VMCP_E_TIMEOUT)
        tell_firewall(run, job, port, external);
    return rc < 0 ? vmcp_error_locate(err, job->plan.name) : 0;
}

/* The attribute's value as it is now: *ret_found. */
static int read_guest(struct launch_run *run, struct launch_job *job, bool *ret_found,
                      struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX + 300];
    json_auto_t *answer = NULL;
    snprintf(path, sizeof(path),
             "projects/%s/zones/%s/instances/%s/getGuestAttributes?queryPath=%s",
             run->compute.project, job->zone, launch_instance_id(job->instance),
             run->settings->wait_guest);
    int rc = launch_compute_get(&run->compute, path, &answer, err);
    const json_t *items = json_object_get(json_object_get(answer, "queryValue"), "items");
    const char *value = json_string_value(json_object_get(json_array_get(items, 0), "value"));
    *ret_found = rc == 0 && value;
    if (*ret_found)
        launch_clean(value, job->guest, sizeof(job->guest));
    return rc;
}

/* A VM that has stopped will not set it any more. */
static int check_running(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    json_t *instance = NULL;
    int rc = launch_instance_get(&run->compute, job->zone, launch_instance_id(job->instance),
                                 &instance, err);
    if (rc < 0)
        return rc;
    if (!instance)
        return vmcp_fail(err, VMCP_E_OPERATION, "the VM is gone: it will not set %.120s",
                         run->settings->wait_guest);
    json_decref(job->instance);
    job->instance = instance;
    const char *status = launch_instance_status(instance);
    if (strcmp(status, "TERMINATED") == 0 || strcmp(status, "STOPPED") == 0 ||
        strcmp(status, "SUSPENDED") == 0)
        return vmcp_fail(err, VMCP_E_OPERATION, "the VM is %s: it will not set %.120s", status,
                         run->settings->wait_guest);
    return 0;
}

static int guest_timeout(const struct launch_run *run, const struct launch_job *job,
                         struct vmcp_error *err)
{
    const char *enabled = launch_metadata_item(job->instance, "enable-guest-attributes");
    return vmcp_fail(err, VMCP_E_TIMEOUT, "%.120s was not set within %lld s%s",
                     run->settings->wait_guest, (long long)run->settings->api_timeout,
                     enabled && strcasecmp(enabled, "TRUE") == 0
                         ? ""
                         : "; its metadata does not say enable-guest-attributes=TRUE");
}

int launch_job_wait_guest(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    const char *key = run->settings->wait_guest;
    int64_t end = launch_uptime() + run->settings->api_timeout;
    bool found = false;
    if (!key)
        return 0;
    launch_progress(run->report, "waiting for %s to set %s", job->plan.name, key);
    for (;;) {
        int rc = read_guest(run, job, &found, err);
        if (rc == 0 && found) {
            launch_say(run->report, "%s has set %s to %s", job->plan.name, key, job->guest);
            return 0;
        }
        if (rc == 0)
            rc = check_running(run, job, err);
        if (rc == 0 && launch_uptime() >= end)
            rc = guest_timeout(run, job, err);
        if (rc < 0)
            return vmcp_error_locate(err, job->plan.name);
        launch_sleep_ms(POLL_S * 1000);
    }
}
