/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cloud/resource.h"

#define SEGMENT_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

static bool is_word(const char *segment, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(segment, word, len) == 0;
}

/* A path of plain segments, in which `projects` stands first or nowhere: then nobody reads another
 * project in it than we do. *ret_project is that project, NULL where none is named. */
static bool read_path(const char *path, char project[static LAUNCH_PROJECT_MAX + 1],
                      const char **ret_project)
{
    bool named = false;
    *ret_project = NULL;
    for (size_t n = 0;; n++) {
        size_t len = strspn(path, SEGMENT_CHARS);
        bool dots = is_word(path, len, ".") || is_word(path, len, "..");
        if (len == 0 || dots || (path[len] && path[len] != '/'))
            return false;
        if (is_word(path, len, "projects")) {
            if (n > 0 || strncmp(path, "projects/", len + 1) != 0)
                return false;
            named = true;
        } else if (n == 1 && named) {
            if (len > LAUNCH_PROJECT_MAX || path[len] != '/')
                return false;
            memcpy(project, path, len);
            project[len] = '\0';
            *ret_project = project;
        }
        if (!path[len])
            return true;
        path += len + 1;
    }
}

int launch_place_check(const char *text, const char *where, const struct launch_settings *settings,
                       struct vmcp_error *err)
{
    char kept[LAUNCH_PROJECT_MAX + 1], clean[100];
    const char *path = text ? launch_resource_path(text) : NULL, *project = NULL;
    if (!text)
        return 0;
    launch_clean(text, clean, sizeof(clean));
    if (!path || !read_path(path, kept, &project))
        return vmcp_fail_at(err, VMCP_E_POLICY, where,
                            "`%s` does not say plainly whose it is; a name, or a path such as "
                            "projects/PROJECT/…, is wanted",
                            clean);
    if (!project || strcmp(project, settings->project) == 0 ||
        launch_list_has(&settings->allow_resource_projects, project))
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, where,
                        "the machine wants `%s` of project %.64s, which this launcher does not "
                        "allow (--allow-resource-project)",
                        clean, project);
}

static int check_member(const json_t *object, const char *member, const char *above,
                        const struct launch_settings *settings, struct vmcp_error *err)
{
    char where[96];
    snprintf(where, sizeof(where), "%s%s%s", above, *above ? "." : "", member);
    return launch_place_check(json_string_value(json_object_get(object, member)), where, settings,
                              err);
}

static int check_list(const json_t *list, const char *where, const struct launch_settings *settings,
                      struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = launch_place_check(json_string_value(json_array_get(list, i)), where, settings, err);
    return rc;
}

static int check_interfaces(const json_t *body, const struct launch_settings *settings,
                            struct vmcp_error *err)
{
    static const char *const members[] = {"network", "subnetwork", "networkAttachment"};
    const json_t *nics = json_object_get(body, "networkInterfaces");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(nics); i++) {
        char above[48];
        snprintf(above, sizeof(above), "networkInterfaces[%zu]", i);
        for (size_t k = 0; rc == 0 && k < sizeof(members) / sizeof(*members); k++)
            rc = check_member(json_array_get(nics, i), members[k], above, settings, err);
    }
    return rc;
}

static int check_disks(const json_t *body, const struct launch_settings *settings,
                       struct vmcp_error *err)
{
    const json_t *disks = json_object_get(body, "disks");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(disks); i++) {
        const json_t *params = json_object_get(json_array_get(disks, i), "initializeParams");
        char above[48], where[80];
        snprintf(above, sizeof(above), "disks[%zu].initializeParams", i);
        snprintf(where, sizeof(where), "%s.resourcePolicies", above);
        rc = check_member(params, "storagePool", above, settings, err);
        if (rc == 0)
            rc = check_list(json_object_get(params, "resourcePolicies"), where, settings, err);
    }
    return rc;
}

int launch_places_check(const json_t *body, const struct launch_settings *settings,
                        struct vmcp_error *err)
{
    const json_t *reservation = json_object_get(body, "reservationAffinity");
    int rc = check_interfaces(body, settings, err);
    if (rc == 0)
        rc = check_disks(body, settings, err);
    if (rc == 0)
        rc = check_list(json_object_get(body, "resourcePolicies"), "resourcePolicies", settings,
                        err);
    if (rc == 0)
        rc = check_list(json_object_get(reservation, "values"), "reservationAffinity", settings,
                        err);
    return rc;
}
