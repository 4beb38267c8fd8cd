/* SPDX-License-Identifier: Apache-2.0 */
#include "gcehint.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "download.h"
#include "gcerules.h"
#include "json.h"
#include "machine.h"
#include "macro.h"

enum {
    LABEL_MAX = 63, /* an instance's name (RFC 1035) */
    DISK_GB_MIN = 10,
    SECRET_SHORT = 16, /* characters */
    /* custom machine types of series e2 */
    E2_CPUS_MAX = 32,
    E2_MB_PER_CPU_MIN = 512,
    E2_MB_PER_CPU_MAX = 8192,
    E2_MB_MAX = 128 * 1024,
    MB_STEP = 256,
};

struct hint {
    const struct vmcp_config *config;
    struct vmcp_diags *diags;
    char pointer[sizeof(((struct vmcp_diag *)0)->pointer)];
};

static json_t *parameter(const struct hint *h, const char *name)
{
    return json_object_get(h->config->machine, name);
}

/* The pointer of a parameter; valid until the next call. */
static const char *at(struct hint *h, const char *name)
{
    snprintf(h->pointer, sizeof(h->pointer), "%s/%s", h->config->is_bare ? "" : "/machine", name);
    return h->pointer;
}

static unsigned macros_of(const char *text)
{
    unsigned used = 0;
    return vmcp_macro_scan(text, ~0U, &used, NULL) < 0 ? 0 : used;
}

/* The boot disk of the `gce` part, and whether it is made from something else than an image. */
static const json_t *boot_disk(const struct hint *h)
{
    return json_array_get(json_object_get(h->config->gce, "disks"), 0);
}

static bool has_own_source(const json_t *disk)
{
    return json_object_get(disk, "source") ||
           json_object_get(json_object_get(disk, "initializeParams"), "sourceSnapshot");
}

/* The bytes of a name as an instance may have them. */
static void to_label(const char *name, char *ret, size_t size)
{
    size_t n = 0;
    for (; name[n] && n + 1 < size; n++) {
        char c = name[n];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        ret[n] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
    }
    ret[n] = '\0';
}

static void hint_name(struct hint *h)
{
    const char *name = json_string_value(parameter(h, "name"));
    char made[LABEL_MAX + 1], number[24] = "";
    auto_buf struct vmcp_buf plain = VMCP_BUF(VMCP_USER_DATA_MAX);
    const struct vmcp_macro_values none = {0};
    const char *pointer = at(h, "name");
    if (h->config->count > 1)
        snprintf(number, sizeof(number), "-%lld", (long long)h->config->count);
    if (macros_of(name)) {
        vmcp_diag_warning(h->diags, pointer, false,
                          "a macro becomes 64 characters, and an instance's name has at most %d: "
                          "vmcp-launch refuses it",
                          LABEL_MAX);
        return;
    }
    if (vmcp_macro_expand(name, &none, &plain, NULL) < 0)
        return;
    size_t len = plain.len + strlen(number);
    to_label(plain.data, made, sizeof(made));
    if (len > LABEL_MAX)
        vmcp_diag_warning(h->diags, pointer, false,
                          "an instance's name has at most %d bytes, and this one%s%s has %zu: "
                          "vmcp-launch refuses it",
                          LABEL_MAX, *number ? " with its " : "", number, len);
    else if (made[0] < 'a' || (made[plain.len - 1] == '-' && !*number))
        vmcp_diag_warning(h->diags, pointer, false,
                          "as an instance's name it would be `%s`, which does not begin with a "
                          "letter or ends in `-`: vmcp-launch refuses it",
                          made);
    else if (strcmp(made, plain.data) != 0)
        vmcp_diag_warning(
            h->diags, pointer, false,
            "the name becomes `%s` on Compute Engine: small letters, and `-` for each "
            "byte that is no letter or digit",
            made);
}

/* A secret has as many characters as its text, and 64 for each macro that may stand in it. */
static void hint_secret(struct hint *h)
{
    const char *secret = json_string_value(parameter(h, "secret"));
    size_t characters = 0;
    for (const char *s = secret; *s; s++)
        characters += ((unsigned char)*s & 0xc0) != 0x80;
    if (characters < SECRET_SHORT && !macros_of(secret))
        vmcp_diag_warning(h->diags, at(h, "secret"), false,
                          "`secret` has under %d characters: whoever can read the VM's metadata "
                          "can guess it",
                          SECRET_SHORT);
}

/* The smallest custom shape of series e2 that holds both: an even number of CPUs, each with 512 to
 * 8192 MB, in steps of 256 MB. */
static bool find_shape(json_int_t cpus, json_int_t memory, json_int_t *ret_cpus,
                       json_int_t *ret_memory)
{
    memory = (memory + MB_STEP - 1) / MB_STEP * MB_STEP;
    for (json_int_t n = cpus + cpus % 2; n <= E2_CPUS_MAX; n += 2) {
        json_int_t mb = memory > n * E2_MB_PER_CPU_MIN ? memory : n * E2_MB_PER_CPU_MIN;
        if (mb > n * E2_MB_PER_CPU_MAX || mb > E2_MB_MAX)
            continue;
        *ret_cpus = n;
        *ret_memory = mb;
        return true;
    }
    return false;
}

static void hint_shape(struct hint *h)
{
    const char *name = parameter(h, "ram") ? "ram" : "memory";
    const json_t *cpus = parameter(h, "cpus"), *memory = parameter(h, name);
    json_int_t n = cpus ? json_integer_value(cpus) : 1;
    json_int_t mb = memory ? json_integer_value(memory) : 256;
    json_int_t made_n = 0, made_mb = 0;
    if (json_is_string(json_object_get(h->config->gce, "machineType")))
        return; /* it wins */
    if (!find_shape(n, mb, &made_n, &made_mb)) {
        vmcp_diag_warning(h->diags, at(h, n > E2_CPUS_MAX ? "cpus" : name), false,
                          "no machine type of series e2 has %lld CPUs and %lld MB (at most %d and "
                          "%d): gce.machineType can name another one",
                          (long long)n, (long long)mb, E2_CPUS_MAX, E2_MB_MAX);
        return;
    }
    if (cpus && made_n != n)
        vmcp_diag_warning(h->diags, at(h, "cpus"), false,
                          "cpus %lld becomes %lld: series e2 has an even number of CPUs, and at "
                          "most %d MB for each",
                          (long long)n, (long long)made_n, E2_MB_PER_CPU_MAX);
    if (memory && made_mb != mb)
        vmcp_diag_warning(h->diags, at(h, name), false,
                          "%s %lld becomes %lld MB: series e2 has at least %d MB for each CPU "
                          "(here %lld), in steps of %d",
                          name, (long long)mb, (long long)made_mb, E2_MB_PER_CPU_MIN,
                          (long long)made_n, MB_STEP);
}

static void hint_disk(struct hint *h)
{
    const json_t *disk = parameter(h, "disk"), *boot = boot_disk(h);
    json_int_t mb = json_integer_value(disk), gb = (mb + 1023) / 1024;
    if (!disk || json_object_get(boot, "source") || json_object_get(boot, "diskSizeGb") ||
        json_object_get(json_object_get(boot, "initializeParams"), "diskSizeGb"))
        return; /* the `gce` part says it */
    if (gb < DISK_GB_MIN)
        gb = DISK_GB_MIN;
    if (gb * 1024 != mb)
        vmcp_diag_warning(
            h->diags, at(h, "disk"), false,
            "disk %lld becomes %lld GB: sizes are whole GB (1024 MB), at least %d and "
            "as large as the image",
            (long long)mb, (long long)gb, DISK_GB_MIN);
}

static void hint_flags(struct hint *h)
{
    static const struct {
        json_int_t bit;
        const char *what;
    } names[] = {{VMCP_FLAG_ONLINE_DISK, "boot from an online disk"},
                 {VMCP_FLAG_GUEST_ADDITIONS, "guest additions"},
                 {VMCP_FLAG_FLOPPY, "floppy contextualization"},
                 {VMCP_FLAG_SECOND_NIC, "second network card"},
                 {VMCP_FLAG_LOCAL_DISK, "boot from a local disk"},
                 {VMCP_FLAG_IMPORT, "import an appliance"},
                 {VMCP_FLAG_LOCAL_ISO, "local ISO"}};
    json_int_t rest = json_integer_value(parameter(h, "flags")) &
                      ~(json_int_t)(VMCP_FLAG_64BIT | VMCP_FLAG_HEADFUL | VMCP_FLAG_GRAPHICAL |
                                    VMCP_FLAG_SERIAL_LOG);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (rest & names[i].bit)
            vmcp_diag_warning(h->diags, at(h, "flags"), false,
                              "flag %lld (%s) means nothing on Compute Engine",
                              (long long)names[i].bit, names[i].what);
        rest &= ~names[i].bit;
    }
    if (rest)
        vmcp_diag_warning(h->diags, at(h, "flags"), false,
                          "flags %lld mean nothing on Compute Engine", (long long)rest);
}

static void hint_ignored(struct hint *h)
{
    static const char *const ignored[] = {"canOverride", "executionCap", "cernvmVersion",
                                          "cernvmFlavor"};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        if (parameter(h, ignored[i]))
            vmcp_diag_warning(h->diags, at(h, ignored[i]), false,
                              "`%s` means nothing on Compute Engine", ignored[i]);
}

/* Is it an image that Compute Engine can have: [URL][projects/P/]global/images/[family/]NAME, or
 * family/NAME, one of the own project? ret_project is P, or "". */
static bool parse_image(const char *s, char *ret_project, size_t size)
{
    static const char *const roots[] = {"https://www.googleapis.com/compute/v1/",
                                        "https://compute.googleapis.com/compute/v1/"};
    const char *whole = s;
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++)
        if (strncmp(s, roots[i], strlen(roots[i])) == 0)
            s += strlen(roots[i]);
    *ret_project = '\0';
    if (s == whole && strncmp(s, "family/", 7) == 0)
        return vmcp_gce_is_name(s + 7);
    if (strncmp(s, "projects/", 9) == 0) {
        size_t len = strcspn(s + 9, "/");
        if (len == 0 || len >= size)
            return false;
        snprintf(ret_project, size, "%.*s", (int)len, s + 9);
        s += 9 + len + (s[9 + len] == '/');
    }
    if (strncmp(s, "global/images/", 14) != 0)
        return false;
    s += 14;
    return vmcp_gce_is_name(strncmp(s, "family/", 7) == 0 ? s + 7 : s);
}

static void hint_image(struct hint *h, char *ret_project, size_t size)
{
    const json_t *boot = boot_disk(h);
    const char *url = json_string_value(parameter(h, "diskURL"));
    const json_t *params = json_object_get(boot, "initializeParams");
    const char *image = json_string_value(json_object_get(params, "sourceImage"));
    snprintf(ret_project, size, "%s", image || url || has_own_source(boot) ? "" : "debian-cloud");
    if (url)
        vmcp_diag_warning(h->diags, at(h, "diskChecksum"), false,
                          "cannot be checked against an image of Compute Engine");
    if (url && (image || has_own_source(boot)))
        vmcp_diag_warning(h->diags, at(h, "diskURL"), false,
                          "is not used: gce.disks names what the VM boots from");
    if (image && !macros_of(image) && !has_own_source(boot) &&
        !parse_image(image, ret_project, size))
        vmcp_diag_warning(h->diags, "/gce/disks/0/initializeParams/sourceImage", false,
                          "is no image of Compute Engine, and vmcp-launch refuses it; "
                          "projects/P/global/images/NAME or …/family/FAMILY would work");
    if (url && !image && !has_own_source(boot) && !macros_of(url) &&
        !parse_image(url, ret_project, size))
        vmcp_diag_warning(h->diags, at(h, "diskURL"), false,
                          "Compute Engine cannot boot from it, and vmcp-launch refuses it; "
                          "projects/P/global/images/NAME or …/family/FAMILY would work");
}

/* The parameter in which the file says the user data. */
static const char *at_user_data(struct hint *h)
{
    return at(h, h->config->has_user_data_file ? "userDataFile" : "userData");
}

/* Images of these projects run cloud-init, which reads user data that is no script. */
static void hint_user_data(struct hint *h, const char *project)
{
    static const char *const with_cloud_init[] = {"ubuntu-os-cloud", "ubuntu-os-pro-cloud",
                                                  "cos-cloud"};
    const char *text = json_string_value(parameter(h, "userData"));
    for (size_t i = 0; i < sizeof(with_cloud_init) / sizeof(*with_cloud_init); i++)
        if (strcmp(project, with_cloud_init[i]) == 0)
            return;
    if (text && *text && strncmp(text, "#!", 2) != 0)
        vmcp_diag_warning(h->diags, at_user_data(h), false,
                          "does not begin with #!, so only cloud-init reads it, and the image is "
                          "not known to have that (Google's Debian images do not)");
}

static bool has_external_address(const struct hint *h)
{
    const json_t *nic = json_array_get(json_object_get(h->config->gce, "networkInterfaces"), 0);
    return json_array_size(json_object_get(nic, "accessConfigs")) > 0;
}

static void hint_download(struct hint *h, const json_t *script, const char *pointer)
{
    struct vmcp_download d;
    if (json_is_string(script) &&
        vmcp_download_find(json_string_value(script), json_string_length(script), &d))
        vmcp_diag_warning(h->diags, pointer, false,
                          "line %zu of it downloads (%s), and the VM has no external address: it "
                          "needs Cloud NAT, or accessConfigs in gce.networkInterfaces",
                          d.line, d.command);
}

/* One entry of gce.metadata. */
static void hint_metadata(struct hint *h, const char *key, const json_t *value, const char *pointer)
{
    const char *user_data = json_string_value(parameter(h, "userData"));
    bool script = strcmp(key, "startup-script") == 0;
    if (strncasecmp(key, "vmcp-", 5) == 0)
        vmcp_diag_warning(h->diags, pointer, false,
                          "metadata keys that begin with vmcp- are the launcher's own, and it "
                          "refuses this one");
    else if ((script || strcmp(key, "startup-script-url") == 0) && user_data && *user_data)
        vmcp_diag_warning(h->diags, pointer, false,
                          "stands beside userData; only one of them can run, and vmcp-launch "
                          "refuses both");
    else if ((script || strcmp(key, "user-data") == 0) && !has_external_address(h))
        hint_download(h, value, pointer);
}

static void hint_all_metadata(struct hint *h)
{
    json_t *metadata = json_object_get(h->config->gce, "metadata"), *value;
    const json_t *items = json_object_get(metadata, "items");
    char pointer[sizeof(h->pointer)];
    const char *key;
    size_t i;
    json_array_foreach(items, i, value)
    {
        key = json_string_value(json_object_get(value, "key"));
        snprintf(pointer, sizeof(pointer), "/gce/metadata/items/%zu/value", i);
        if (key)
            hint_metadata(h, key, json_object_get(value, "value"), pointer);
    }
    if (json_is_array(items))
        return;
    json_object_foreach(metadata, key, value)
    {
        snprintf(pointer, sizeof(pointer), "/gce/metadata");
        vmcp_json_pointer_add(pointer, sizeof(pointer), key);
        hint_metadata(h, key, value, pointer);
    }
}

/* What the `gce` part cannot set. */
static void hint_gce(struct hint *h)
{
    static const char *const labels[] = {"vmcp-domain", "vmcp-machine", "vmcp-by"};
    const json_t *gce = h->config->gce;
    char pointer[64];
    if (json_object_get(gce, "name"))
        vmcp_diag_warning(h->diags, "/gce/name", false,
                          "the name is the machine's `name`; vmcp-launch refuses one here");
    if (json_object_get(gce, "zone"))
        vmcp_diag_warning(h->diags, "/gce/zone", false,
                          "the zone is the launcher's choice; it refuses one here");
    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
        snprintf(pointer, sizeof(pointer), "/gce/labels/%s", labels[i]);
        if (json_object_get(json_object_get(gce, "labels"), labels[i]))
            vmcp_diag_warning(h->diags, pointer, false,
                              "the label is the launcher's own, which it sets itself");
    }
    vmcp_gce_check_names(gce, h->diags);
    hint_all_metadata(h);
}

void vmcp_gcehint_check(const struct vmcp_config *config, struct vmcp_diags *diags)
{
    struct hint h = {.config = config, .diags = diags};
    char project[128];
    hint_name(&h);
    hint_secret(&h);
    hint_shape(&h);
    hint_disk(&h);
    hint_flags(&h);
    hint_ignored(&h);
    hint_image(&h, project, sizeof(project));
    hint_user_data(&h, project);
    if (!has_external_address(&h))
        hint_download(&h, parameter(&h, "userData"), at_user_data(&h));
    hint_gce(&h);
}
