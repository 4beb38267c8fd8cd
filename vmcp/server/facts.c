/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

bool srv_facts_publishes(const struct srv_snapshot *s, const struct vmcp_keyring_entry *entry,
                         int64_t now)
{
    return entry->state != VMCP_KEY_RETIRED || entry->since >= now - s->retire_after;
}

static json_t *list_keys(const struct srv_snapshot *s, int64_t now)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < s->ring.count; i++) {
        const struct vmcp_keyring_entry *e = &s->ring.entries[i];
        if (srv_facts_publishes(s, e, now))
            json_array_append_new(keys, json_pack("{s:s, s:s, s:s}", "thumbprint",
                                                  vmcp_key_thumbprint(e->key), "type",
                                                  vmcp_key_type_name(e->key), "status",
                                                  vmcp_key_state_name(e->state)));
    }
    return keys;
}

static json_t *list_names(const struct srv_catalogue *c, enum vmcp_kind kind)
{
    size_t count = srv_catalogue_count(c, kind);
    json_t *names = json_array();
    for (size_t i = 0; i < count && i < SRV_NAMES_SHOWN; i++)
        json_array_append_new(names, json_string(srv_catalogue_at(c, kind, i)->config.name));
    return names;
}

static void add_names(json_t *facts, const struct srv_catalogue *c, enum vmcp_kind kind,
                      const char *names, const char *left_out)
{
    size_t count = srv_catalogue_count(c, kind);
    size_t more = count > SRV_NAMES_SHOWN ? count - SRV_NAMES_SHOWN : 0;
    json_object_set_new(facts, names, list_names(c, kind));
    json_object_set_new(facts, left_out, json_integer((json_int_t)more));
}

json_t *srv_facts(const struct srv_settings *settings, const struct srv_snapshot *s, int64_t now)
{
    json_t *facts =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:s, s:I}", "program", "vmcpd", "version",
                  VMCP_VERSION, "domain", settings->domain, "keys", list_keys(s, now), "machines",
                  (json_int_t)srv_catalogue_count(s->catalogue, VMCP_KIND_MACHINE), "jobs",
                  (json_int_t)srv_catalogue_count(s->catalogue, VMCP_KIND_JOB), "generation",
                  (json_int_t)s->generation, "digest", srv_catalogue_digest(s->catalogue), "loaded",
                  (json_int_t)s->loaded);
    if (facts && settings->list_machines) {
        add_names(facts, s->catalogue, VMCP_KIND_MACHINE, "names", "names_left_out");
        add_names(facts, s->catalogue, VMCP_KIND_JOB, "job_names", "job_names_left_out");
    }
    return facts;
}
