/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"

enum { NAME_MAX_LEN = 256, TEXT_MAX = 1024 * 1024, FREE_FORM = 1000 };

/* Members whose children have names of people's own choice, and for how many levels. */
static int verbatim_below(const char *member)
{
    static const struct {
        const char *member;
        int levels;
    } names[] = {
        {"attributes", 1},
        {"serviceAccounts", 1},
        {"guestAttributes", 2},
        {"partnerAttributes", FREE_FORM},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].member, member) == 0)
            return names[i].levels;
    return 0;
}

static bool is_one_of(const char *member, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, member) == 0)
            return true;
    return false;
}

/* What the child `member` of `parent` is. */
static struct emu_node child_node(const struct emu_node *parent, const char *member,
                                  const json_t *value)
{
    static const char *const line_members[] = {"aliases", "dnsServers", "scopes", NULL};
    struct emu_node node = {.value = value, .kind = EMU_NODE_LEAF};
    bool own_name = parent->verbatim > 0;
    if (json_is_object(value))
        node.kind = EMU_NODE_DIRECTORY;
    else if (json_is_array(value))
        node.kind = own_name                          ? EMU_NODE_DOCUMENT
                    : is_one_of(member, line_members) ? EMU_NODE_LINES
                    : strcmp(member, "tags") == 0     ? EMU_NODE_DOCUMENT
                                                      : EMU_NODE_DIRECTORY;
    node.verbatim = own_name ? parent->verbatim - 1 : verbatim_below(member);
    /* An account is what lies right below serviceAccounts: an object with scopes. */
    node.account = own_name && node.kind == EMU_NODE_DIRECTORY && json_object_get(value, "scopes");
    return node;
}

/* "machine-type" to "machineType". False for what cannot be a path name: upper case, a dash at an
 * end or before anything but a letter or digit. */
static bool to_member(const char *name, size_t len, char ret[static NAME_MAX_LEN])
{
    size_t n = 0;
    if (len >= NAME_MAX_LEN || name[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z')
            return false;
        if (c == '-') {
            c = i + 1 < len ? name[++i] : '-';
            if (c >= 'a' && c <= 'z')
                c = (char)(c - 32);
            else if (c < '0' || c > '9')
                return false;
        }
        ret[n++] = c;
    }
    ret[n] = '\0';
    return true;
}

/* "machineType" to "machine-type", or as it is. */
static void add_name(struct vmcp_buf *out, const char *member, bool as_it_is)
{
    for (const char *p = member; *p; p++) {
        if (!as_it_is && *p >= 'A' && *p <= 'Z') {
            vmcp_buf_addc(out, '-');
            vmcp_buf_addc(out, (char)(*p + 32));
        } else {
            vmcp_buf_addc(out, *p);
        }
    }
}

/* A decimal index without leading zeros. */
static bool to_index(const char *name, size_t len, size_t *ret)
{
    size_t n = 0;
    if (len == 0 || len > 4 || (len > 1 && name[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        n = n * 10 + (size_t)(name[i] - '0');
    }
    *ret = n;
    return true;
}

static bool step(const struct emu_node *parent, const char *name, size_t len, struct emu_node *ret)
{
    char member[NAME_MAX_LEN];
    size_t index = 0;
    if (parent->kind != EMU_NODE_DIRECTORY)
        return false;
    if (json_is_array(parent->value)) {
        const json_t *item =
            to_index(name, len, &index) ? json_array_get(parent->value, index) : NULL;
        if (item)
            *ret = child_node(parent, "", item);
        return item != NULL;
    }
    if (parent->verbatim > 0) {
        if (len >= sizeof(member))
            return false;
        memcpy(member, name, len);
        member[len] = '\0';
    } else if (!to_member(name, len, member)) {
        return false;
    }
    const json_t *value = json_object_get(parent->value, member);
    if (value)
        *ret = child_node(parent, member, value);
    return value != NULL;
}

bool emu_node_find(const json_t *root, const char *path, struct emu_node *ret)
{
    struct emu_node node = {.value = root, .kind = EMU_NODE_DIRECTORY};
    while (*path) {
        size_t len = strcspn(path, "/");
        struct emu_node child;
        if (!step(&node, path, len, &child))
            return false;
        node = child;
        path += len + (path[len] == '/');
    }
    *ret = node;
    return true;
}

typedef void (*visit_fn)(void *arg, const char *name, bool own_name, const struct emu_node *child);

static void each_child(const struct emu_node *node, visit_fn visit, void *arg)
{
    size_t i = 0;
    const char *member = NULL;
    json_t *value = NULL;
    if (json_is_array(node->value)) {
        json_array_foreach(node->value, i, value)
        {
            char name[24];
            snprintf(name, sizeof(name), "%zu", i);
            struct emu_node child = child_node(node, "", value);
            visit(arg, name, true, &child);
        }
        return;
    }
    /* jansson's iteration needs no change of the object, but asks for one that may be changed. */
    json_t *object = (json_t *)(uintptr_t)node->value;
    json_object_foreach(object, member, value)
    {
        struct emu_node child = child_node(node, member, value);
        visit(arg, member, node->verbatim > 0, &child);
    }
}

struct listing {
    struct vmcp_buf *out;
    bool account;
};

static void list_child(void *arg, const char *name, bool own_name, const struct emu_node *child)
{
    const struct listing *listing = arg;
    if (listing->account && strcmp(name, "scopes") == 0) /* in the order of the alphabet */
        vmcp_buf_adds(listing->out, "identity\n");
    add_name(listing->out, name, own_name);
    vmcp_buf_adds(listing->out, child->kind == EMU_NODE_DIRECTORY ? "/\n" : "\n");
}

void emu_node_list(const struct emu_node *node, struct vmcp_buf *out)
{
    struct listing listing = {.out = out, .account = node->account};
    each_child(node, list_child, &listing);
    if (node->account)
        vmcp_buf_adds(out, "token\n");
}

static void add_value(struct vmcp_buf *out, const json_t *value)
{
    if (json_is_string(value))
        vmcp_buf_add(out, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        vmcp_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

void emu_node_text(const struct emu_node *node, struct vmcp_buf *out)
{
    size_t i = 0;
    json_t *value = NULL;
    if (node->kind != EMU_NODE_LINES) {
        add_value(out, node->value);
        return;
    }
    json_array_foreach(node->value, i, value)
    {
        add_value(out, value);
        vmcp_buf_addc(out, '\n');
    }
}

struct flattening {
    struct vmcp_buf *out;
    const char *prefix;
};

static void flatten(const struct emu_node *node, const char *prefix, struct vmcp_buf *out);

static void flatten_child(void *arg, const char *name, bool own_name, const struct emu_node *child)
{
    const struct flattening *f = arg;
    auto_buf struct vmcp_buf path = VMCP_BUF(TEXT_MAX);
    vmcp_buf_adds(&path, f->prefix);
    add_name(&path, name, own_name);
    if (child->kind == EMU_NODE_DIRECTORY)
        vmcp_buf_addc(&path, '/');
    if (vmcp_buf_check(&path, "a path", NULL) == 0)
        flatten(child, path.data, f->out);
}

static void flatten(const struct emu_node *node, const char *prefix, struct vmcp_buf *out)
{
    struct flattening f = {.out = out, .prefix = prefix};
    size_t i = 0;
    json_t *value = NULL;
    if (node->kind == EMU_NODE_DIRECTORY) {
        each_child(node, flatten_child, &f);
    } else if (json_is_array(node->value)) {
        json_array_foreach(node->value, i, value)
        {
            vmcp_buf_addf(out, "%s ", prefix);
            add_value(out, value);
            vmcp_buf_addc(out, '\n');
        }
    } else {
        vmcp_buf_addf(out, "%s ", prefix);
        add_value(out, node->value);
        vmcp_buf_addc(out, '\n');
    }
}

void emu_node_flatten(const struct emu_node *node, struct vmcp_buf *out)
{
    flatten(node, "", out);
}

/* FNV-1a: a tag only has to change when the value does, and it is made for each read. */
void emu_node_etag(const struct emu_node *node, char ret[static EMU_ETAG_LEN + 1])
{
    auto_free char *text = json_dumps(node->value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    unsigned char bytes[8];
    for (const char *p = text ? text : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(hash >> (56 - 8 * i));
    vmcp_hex_encode(bytes, EMU_ETAG_LEN / 2, ret);
}
