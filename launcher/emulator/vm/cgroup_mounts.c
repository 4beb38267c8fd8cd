/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup_mounts.h"

#include <stdio.h>
#include <string.h>

#include "lib/auto.h"

enum { LINE_LEN = 4096 };

/* True when `word` is one of the words that commas separate. */
static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (;; list++) {
        size_t own = strcspn(list, ",\n");
        if (own == len && strncmp(list, word, len) == 0)
            return true;
        list += own;
        if (*list != ',')
            return false;
    }
}

/* Our group as /proc/self/cgroup has it, "ID:CONTROLLERS:PATH"; v2 has no controllers there. */
static bool own_group(const char *controller, char ret[static EMU_CGROUP_PATH_MAX])
{
    char line[LINE_LEN];
    auto_fclose FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof(line), file)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        names++;
        path[strcspn(path, "\n")] = '\0';
        bool found = controller ? listed(names, controller) : *names == '\0';
        if (found && strlen(path) < EMU_CGROUP_PATH_MAX) {
            strcpy(ret, path);
            return true;
        }
    }
    return false;
}

/* proc_pid_mountinfo(5): the fields before " - " and the kind, source and options behind it. */
static bool find_mount(const char *controller, char point[static EMU_CGROUP_PATH_MAX],
                       char root[static EMU_CGROUP_PATH_MAX])
{
    char line[LINE_LEN];
    auto_fclose FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && fgets(line, sizeof(line), file)) {
        char kind[32], options[1024];
        const char *more = strstr(line, " - ");
        if (!more || sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) != 2 ||
            sscanf(more, " - %31s %*s %1023s", kind, options) != 2)
            continue;
        if (controller ? strcmp(kind, "cgroup") == 0 && listed(options, controller)
                       : strcmp(kind, "cgroup2") == 0)
            return true;
    }
    return false;
}

/* The group's folder: a mount may show a part of the tree only. */
static size_t find(const char *controller, char ret[static EMU_CGROUP_PATH_MAX])
{
    char own[EMU_CGROUP_PATH_MAX], point[EMU_CGROUP_PATH_MAX], root[EMU_CGROUP_PATH_MAX];
    if (!own_group(controller, own) || !find_mount(controller, point, root) ||
        strncmp(own, "/..", 3) == 0)
        return 0;
    const char *below = own;
    size_t len = strlen(root);
    if (len > 1 && strncmp(own, root, len) == 0 && (own[len] == '/' || own[len] == '\0'))
        below += len;
    if (strcmp(below, "/") == 0)
        below = "";
    if (strlen(point) + strlen(below) >= EMU_CGROUP_PATH_MAX)
        return 0;
    snprintf(ret, EMU_CGROUP_PATH_MAX, "%s%.*s", point, (int)strlen(below), below);
    return strlen(point);
}

size_t emu_cgroup_unified(char ret[static EMU_CGROUP_PATH_MAX])
{
    return find(NULL, ret);
}

bool emu_cgroup_legacy(const char *controller, char ret[static EMU_CGROUP_PATH_MAX])
{
    return find(controller, ret) > 0;
}
