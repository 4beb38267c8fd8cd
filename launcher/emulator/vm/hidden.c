/* SPDX-License-Identifier: Apache-2.0 */
#include "hidden.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "spawn.h"

enum {
    PERSON_UID_MIN = 1000,  /* Debian Policy, section 9.2.2: below are system accounts, */
    PERSON_UID_MAX = 59999, /* whose homes are folders such as /usr/sbin */
    PASSWD_LINE_MAX = 4096,
};

/* Not to be seen whatever their modes are. The shadow files are not readable to all and so would
 * not be copied; they are named because that must not depend on somebody's chmod. */
static const char *const always[] = {
    "/etc/vmcp",    "/etc/ssh",       "/etc/ssl/private", "/etc/shadow",
    "/etc/shadow-", "/etc/gshadow",   "/etc/gshadow-",    "/etc/security/opasswd",
    "/etc/sudoers", "/etc/sudoers.d", "/etc/krb5.keytab", "/etc/letsencrypt",
};

static bool shared(const char *path)
{
    return emu_path_below(path, "/usr") || emu_path_below(path, "/etc");
}

static int add(struct emu_hidden *hidden, const char *path, struct vmcp_error *err)
{
    if (hidden->count == EMU_HIDDEN_MAX)
        return vmcp_fail_at(err, VMCP_E_LIMIT, path, "more than %d folders to hide from guests",
                            EMU_HIDDEN_MAX);
    char *copy = strdup(path);
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the hidden folders");
    hidden->paths[hidden->count++] = copy;
    return 0;
}

static int add_asked(struct emu_hidden *hidden, const char *asked, struct vmcp_error *err)
{
    auto_free char *path = realpath(asked, NULL);
    if (!path)
        return 0; /* what is not there cannot be seen */
    if (emu_path_below("/usr", path) || emu_path_below("/etc", path))
        return vmcp_fail_at(err, VMCP_E_USAGE, asked,
                            "cannot be hidden from guests, which need /usr and /etc");
    return shared(path) ? add(hidden, path, err) : 0;
}

static int add_homes(struct emu_hidden *hidden, struct vmcp_error *err)
{
    auto_fclose FILE *file = fopen("/etc/passwd", "re");
    struct passwd row;
    struct passwd *person = NULL;
    char line[PASSWD_LINE_MAX];
    while (file && fgetpwent_r(file, &row, line, sizeof(line), &person) == 0) {
        if (person->pw_uid != 0 &&
            (person->pw_uid < PERSON_UID_MIN || person->pw_uid > PERSON_UID_MAX))
            continue;
        auto_free char *home = realpath(person->pw_dir, NULL);
        if (!home || !shared(home) || strcmp(home, "/usr") == 0 || strcmp(home, "/etc") == 0)
            continue;
        int rc = add(hidden, home, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int emu_hidden_collect(struct emu_hidden *hidden, const char *folder, const char *const *hide,
                       struct vmcp_error *err)
{
    int rc = add_asked(hidden, folder, err);
    for (size_t i = 0; rc == 0 && i < sizeof(always) / sizeof(always[0]); i++)
        rc = add(hidden, always[i], err);
    for (; rc == 0 && hide && *hide; hide++)
        rc = add_asked(hidden, *hide, err);
    return rc < 0 ? rc : add_homes(hidden, err);
}

void emu_hidden_clear(struct emu_hidden *hidden)
{
    while (hidden->count)
        free(hidden->paths[--hidden->count]);
}

bool emu_hidden_has(const struct emu_hidden *hidden, const char *path)
{
    for (size_t i = 0; i < hidden->count; i++)
        if (emu_path_below(path, hidden->paths[i]))
            return true;
    return false;
}
