/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "zones.h"

enum { ZONES_MAX = 8, TRIES = 20 };

const char *emu_group_action(const struct emu_member *member)
{
    if (member->leaving)
        return "DELETING";
    if (member->action[0])
        return member->action;
    if (!member->instance || strcmp(member->status, "PROVISIONING") == 0 ||
        strcmp(member->status, "STAGING") == 0)
        return "CREATING";
    if (strcmp(member->status, "STOPPING") == 0)
        return "RECREATING";
    return strcmp(member->status, "TERMINATED") == 0 ? "RESTARTING" : "NONE";
}

/* BASE-xxxx, as Google's are named. */
static int make_name(const char *base, char ret[static EMU_INSTANCE_NAME_MAX + 1],
                     struct emu_refusal *why)
{
    static const char chars[] = "0123456789bcdfghjklmnpqrstvwxz";
    unsigned char random[4];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return emu_refuse(why, 500, "backendError", "No random bytes for a name.");
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)chars[random[i] % (sizeof(chars) - 1)];
    snprintf(ret, EMU_INSTANCE_NAME_MAX + 1, "%.58s-%.4s", base, (const char *)random);
    return 0;
}

/* The zones that a group's instances are in: its own, or up to three of its region. */
static size_t zones_of(const struct emu_resource *group,
                       char ret[static ZONES_MAX][EMU_ZONE_MAX + 1])
{
    const json_t *zones =
        json_object_get(json_object_get(group->body, "distributionPolicy"), "zones");
    size_t i = 0, count = 0;
    json_t *item = NULL;
    if (strncmp(group->scope, "zones/", 6) == 0) {
        snprintf(ret[0], EMU_ZONE_MAX + 1, "%s", group->scope + 6);
        return 1;
    }
    json_array_foreach(zones, i, item)
    {
        const char *link = emu_text_at(item, "zone");
        const char *slash = link ? strrchr(link, '/') : NULL;
        if (slash && count < ZONES_MAX)
            snprintf(ret[count++], EMU_ZONE_MAX + 1, "%.63s", slash + 1);
    }
    return count;
}

/* The zone that has the fewest members. */
static const char *choose_zone(const struct emu_members *members, size_t zones,
                               char names[static ZONES_MAX][EMU_ZONE_MAX + 1])
{
    size_t best = 0, fewest = SIZE_MAX;
    for (size_t z = 0; z < zones; z++) {
        size_t count = 0;
        for (size_t i = 0; i < members->count; i++)
            count += !members->list[i].leaving && strcmp(members->list[i].zone, names[z]) == 0;
        if (count < fewest) {
            fewest = count;
            best = z;
        }
    }
    return names[best];
}

/* Is the name an instance's, or a member's that has none yet? */
static int is_taken(struct emu_cloud *cloud, const struct emu_members *members, const char *zone,
                    const char *name, bool *ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    struct vmcp_error err = {0};
    if (emu_instance_find(cloud->store, zone, name, &instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = instance.id != 0;
    for (size_t i = 0; i < members->count; i++)
        *ret = *ret || strcmp(members->list[i].name, name) == 0;
    return 0;
}

int emu_group_add(struct emu_cloud *cloud, struct emu_resource *group, const char *zone,
                  const char *name, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    if (emu_member_add(cloud->store, group->id, zone, name, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

static int grow(struct emu_cloud *cloud, struct emu_resource *group, struct emu_refusal *why)
{
    auto_members struct emu_members members = {0};
    char zones[ZONES_MAX][EMU_ZONE_MAX + 1], name[EMU_INSTANCE_NAME_MAX + 1] = "";
    struct vmcp_error err = {0};
    const char *base = emu_text_at(group->body, "baseInstanceName");
    if (emu_members_read(cloud->store, group->id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    const char *zone = choose_zone(&members, zones_of(group, zones), zones);
    bool taken = true;
    for (int i = 0; taken && i < TRIES; i++) {
        int rc = make_name(base, name, why);
        if (rc == 0)
            rc = is_taken(cloud, &members, zone, name, &taken, why);
        if (rc < 0)
            return rc;
    }
    return emu_group_add(cloud, group, zone, name, why);
}

/* What is lost with a member: nothing without an instance, little with one that is on its way. */
static int worth(const struct emu_member *member)
{
    if (!member->instance)
        return 0;
    return strcmp(member->status, "RUNNING") == 0 ? 2 : 1;
}

/* Take away the member that is worth least. */
static int shrink(struct emu_cloud *cloud, struct emu_resource *group, struct emu_refusal *why)
{
    auto_members struct emu_members members = {0};
    struct vmcp_error err = {0};
    const struct emu_member *least = NULL;
    if (emu_members_read(cloud->store, group->id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    for (size_t i = 0; i < members.count; i++) {
        const struct emu_member *member = &members.list[i];
        if (!member->leaving && (!least || worth(member) <= worth(least)))
            least = member;
    }
    if (least && emu_member_remove(cloud->store, group->id, least->zone, least->name, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

int emu_group_resize(struct emu_cloud *cloud, struct emu_resource *group, int64_t size,
                     struct emu_refusal *why)
{
    auto_members struct emu_members members = {0};
    struct vmcp_error err = {0};
    int64_t now = 0;
    int rc = 0;
    if (emu_members_read(cloud->store, group->id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    for (size_t i = 0; i < members.count; i++)
        now += !members.list[i].leaving;
    for (; rc == 0 && now < size; now++)
        rc = grow(cloud, group, why);
    for (; rc == 0 && now > size; now--)
        rc = shrink(cloud, group, why);
    json_object_set_new(group->body, "targetSize", json_integer(size));
    return rc;
}
