/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/limits.h"
#include "lib/rotation.h"

struct args {
    int64_t min_published, retire_after;
    const char *passphrase;
    bool now, dry_run, json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"min-published", "TIME", VMCP_OPT_TIME, AT(min_published), 0, VMCP_ROTATION_TIME_MAX,
     "how long a next key must have been in next/ (24h)"},
    {"now", NULL, VMCP_OPT_FLAG, AT(now), 0, 0,
     "rotate even so: clients that have not learned of the next key will refuse it"},
    {"retire-after", "TIME", VMCP_OPT_TIME, AT(retire_after), 0, VMCP_ROTATION_TIME_MAX,
     "how long a retired key stays in retired/ (48h); then it is removed"},
    {"dry-run", NULL, VMCP_OPT_FLAG, AT(dry_run), 0, 0, "say what would be done; change nothing"},
    CMD_PASSPHRASE(AT(passphrase)),
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp rotate",
    .operands = "DIR",
    .summary = "move the keys of a keys folder one step",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "DIR is what `vmcpd --keys DIR` reads. Each key in DIR/next becomes active, the active\n"
        "keys of its type are retired, and a new next key of the same kind is made. Where next/\n"
        "is empty only that is done. A run that was interrupted, by kill or a power cut, is\n"
        "finished by the next one. Root acts as the owner of DIR here. New keys are encrypted\n"
        "where --passphrase is given, or where the old ones are. Afterwards tell the server:\n"
        "vmcpd reload. Rotation is hygiene, not recovery: who could read the folder has the next\n"
        "key too.\n",
    .example = "  mkdir -p keys/active && vmcp keygen --alg ed25519 --out keys/active/1.key\n"
               "  vmcp rotate keys\n",
};

static void print_steps(const struct vmcp_rotation *r)
{
    static const char *const words[VMCP_ROTATION_KINDS] = {"active ", "retired", "next   ",
                                                           "removed"};
    for (size_t i = 0; i < r->count; i++) {
        const struct vmcp_rotation_step *s = &r->steps[i];
        char shown[sizeof(s->to)], thumbprint[sizeof(s->thumbprint)];
        snprintf(shown, sizeof(shown), "%s", s->to[0] ? s->to : s->from);
        snprintf(thumbprint, sizeof(thumbprint), "%s", s->thumbprint[0] ? s->thumbprint : "-");
        vmcp_text_clean(shown); /* the folder's owner, not who reads this, chose the names */
        vmcp_text_clean(thumbprint);
        printf("%s %s %s\n", words[s->kind], thumbprint, shown);
    }
}

static json_t *describe(const struct vmcp_rotation *r, const struct args *a)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const struct vmcp_rotation_step *s = &r->steps[i];
        json_t *step = json_pack("{s:s}", "do", vmcp_rotation_kind_name(s->kind));
        if (s->thumbprint[0])
            json_object_set_new(step, "thumbprint", cmd_json_string(s->thumbprint));
        if (s->kind != VMCP_ROTATION_MAKE)
            json_object_set_new(step, "from", cmd_json_string(s->from));
        if (s->to[0])
            json_object_set_new(step, "to", cmd_json_string(s->to));
        json_array_append_new(steps, step);
    }
    return json_pack("{s:s, s:b, s:b, s:o}", "code", "ok", "dryRun", a->dry_run, "resumed",
                     r->resumed, "steps", steps);
}

static void tell(const struct vmcp_rotation *r, const struct args *a)
{
    bool promoted = false;
    for (size_t i = 0; i < r->count; i++)
        promoted = promoted || r->steps[i].kind == VMCP_ROTATION_PROMOTE;
    if (r->resumed)
        fprintf(stderr, a->dry_run ? "would finish a rotation that was interrupted\n"
                                   : "finished a rotation that was interrupted; nothing else was "
                                     "done\n");
    else if (!promoted)
        fprintf(stderr, a->dry_run ? "next/ is empty: no key would change its state\n"
                                   : "next/ was empty: no key changed its state; rotate again when "
                                     "clients know the next key\n");
    fputs(a->dry_run ? "nothing was changed (--dry-run)\n"
                     : "tell the server: vmcpd reload, systemctl reload vmcpd, or SIGHUP\n",
          stderr);
}

/* A source of the passphrase is often root's own file: it is read before root is somebody else. The
 * terminal is whoever's it is, and is asked where a key needs it. */
static int read_passphrase(struct vmcp_passphrase *pass, struct vmcp_error *err)
{
    if (!pass->source || strcmp(pass->source, "prompt") == 0)
        return 0;
    return vmcp_passphrase_get(pass, "the passphrase of the keys", err);
}

/* The groups that the owner has at a log-in; an owner without an account has the folder's. */
static bool take_groups(const struct stat *st)
{
    const struct passwd *user = getpwuid(st->st_uid);
    gid_t gid = user ? user->pw_gid : st->st_gid;
    int rc = user ? initgroups(user->pw_name, gid) : setgroups(1, &gid);
    return rc == 0 && setresgid(gid, gid, gid) == 0;
}

/* Root rotates as the user who owns the folder: the server's user has to read what is made here,
 * and cannot lead root elsewhere by what it puts there. There is no way back, and no trace or core
 * dump of the keys for that user's other programs. */
static int become_owner(const char *dir, struct vmcp_error *err)
{
    struct stat st;
    if (geteuid() != 0 || stat(dir, &st) < 0 || st.st_uid == 0)
        return 0; /* a folder that is not there is told later */
    if (!take_groups(&st) || setresuid(st.st_uid, st.st_uid, st.st_uid) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "cannot act as its owner, user %u: %s",
                            (unsigned)st.st_uid, strerror(errno));
    return 0;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.min_published = VMCP_MIN_PUBLISHED, .retire_after = VMCP_RETIRE_AFTER};
    struct vmcp_list operands = {0};
    struct vmcp_rotation done = {0};
    auto_passphrase struct vmcp_passphrase pass = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    const struct vmcp_rotation_options o = {.now = time(NULL),
                                            .min_published = a.now ? 0 : a.min_published,
                                            .retire_after = a.retire_after,
                                            .dry_run = a.dry_run,
                                            .pass = &pass};
    rc = vmcp_passphrase_init(&pass, a.passphrase, true, err);
    if (rc == 0)
        rc = read_passphrase(&pass, err);
    if (rc == 0)
        rc = become_owner(operands.items[0], err);
    if (rc == 0)
        rc = vmcp_rotation_run(operands.items[0], &o, &done, err);
    if (rc < 0)
        return rc;
    json_auto_t *report = a.json ? describe(&done, &a) : NULL;
    if (a.json)
        cmd_print_json(report);
    else
        print_steps(&done);
    fflush(stdout); /* in one log, the steps come before what is said about them */
    tell(&done, &a);
    return 0;
}

const struct cmd_verb cmd_rotate = {"rotate", &command, run};
