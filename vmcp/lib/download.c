/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 256, DEPTH_MAX = 32 };

/* A command, and the words of which one must follow it; NULL: it always downloads. */
struct row {
    const char *name, *words;
};

static const struct row rows[] = {
    {"apt-get", "update install upgrade dist-upgrade full-upgrade build-dep download source"},
    {"apt", "update install upgrade dist-upgrade full-upgrade build-dep download source"},
    {"aptitude", "update install upgrade full-upgrade safe-upgrade download"},
    {"add-apt-repository", NULL},
    {"dnf", "install update upgrade makecache groupinstall"},
    {"yum", "install update upgrade makecache groupinstall"},
    {"microdnf", "install update upgrade"},
    {"zypper", "install in update up refresh ref"},
    {"apk", "add update upgrade"},
    {"pacman", "-S -Sy -Syu -Syyu"},
    {"snap", "install refresh"},
    {"flatpak", "install update"},
    {"pip", "install download"},
    {"pip3", "install download"},
    {"pipx", "install run"},
    {"python", "pip"},
    {"python3", "pip"},
    {"uv", "pip sync add tool"},
    {"conda", "install create update"},
    {"curl", NULL},
    {"wget", NULL},
    {"git", "clone fetch pull submodule"},
    {"svn", "checkout co export"},
    {"hg", "clone pull"},
    {"npm", "install i ci update exec"},
    {"npx", NULL},
    {"yarn", "install add"},
    {"pnpm", "install i add"},
    {"gem", "install"},
    {"bundle", "install"},
    {"composer", "install require update"},
    {"cargo", "install fetch"},
    {"go", "get install download"},
    {"docker", "pull run build up"},
    {"podman", "pull run build"},
    {"nerdctl", "pull run build up"},
    {"docker-compose", "up pull"},
    {"helm", "install pull upgrade"},
    /* members of a cloud-config */
    {"package_update:", "true"},
    {"package_upgrade:", "true"},
    {"packages:", NULL},
};

/* Words in front of a command, which are not it. */
static const char before[] = " sudo env exec nice ionice nohup setsid time timeout command if then "
                             "else elif do while until ! { } eval bash sh dash su xargs ";

/* Those that run a quoted text. */
static const char shells[] = " eval bash sh dash su ";

/* Addresses that need no way out. */
static const char *const near[] = {"169.254.169.254", "metadata.google.internal",
                                   "//metadata/",     "METADATA",
                                   "//localhost",     "//127.0.0.1",
                                   "//[::1]",         "file://",
                                   "Metadata-Flavor"};

/* One simple command, word by word. */
struct command {
    size_t line;
    const struct row *row;
    bool named;   /* its name was seen */
    bool lookup;  /* behind `command` */
    bool shell;   /* behind a shell */
    bool wanted;  /* with this word it downloads */
    bool is_near; /* from the VM itself or the metadata server */
    char word[32];
};

struct scan {
    const char *at, *end;
    size_t line;
    bool is_yaml;
    struct command command;
    char word[WORD_MAX];
    size_t word_len;
    bool in_word;
    /* What encloses us: ( ` " ' as they stand, or d and s for the quotes of a shell's text. */
    char frames[DEPTH_MAX];
    size_t depth;
    char heredoc[WORD_MAX]; /* "": none begins behind this line */
};

/* Is `word` one of a list of words with spaces around them? */
static bool is_in(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *s = list; len && (s = strstr(s, word)) != NULL; s++)
        if ((s == list || s[-1] == ' ') && (s[len] == ' ' || !s[len]))
            return true;
    return false;
}

static bool is_assignment(const char *word)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strspn(word, chars);
    return len > 0 && word[len] == '=';
}

static void name_command(struct command *c, const char *word, size_t line)
{
    const char *slash = strrchr(word, '/');
    const char *name = slash ? slash + 1 : word;
    if (c->lookup && (strcmp(word, "-v") == 0 || strcmp(word, "-V") == 0))
        c->named = true; /* it only asks whether there is one */
    if (is_in(before, name)) {
        c->lookup = strcmp(name, "command") == 0;
        c->shell = is_in(shells, name);
    }
    if (c->named || is_in(before, name) || word[0] == '-' || is_assignment(word) ||
        (word[0] >= '0' && word[0] <= '9'))
        return;
    c->named = true;
    c->line = line;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            c->row = &rows[i];
    c->wanted = c->row && !c->row->words;
}

static void add_argument(struct command *c, const char *word)
{
    if (!c->row)
        return;
    if (!c->wanted && is_in(c->row->words, word)) {
        c->wanted = true;
        snprintf(c->word, sizeof(c->word), " %.30s", word);
    }
    for (size_t i = 0; i < sizeof(near) / sizeof(*near); i++)
        c->is_near = c->is_near || strstr(word, near[i]);
    if (strcmp(word, "--version") == 0 || strcmp(word, "--help") == 0)
        c->is_near = true;
}

static void end_word(struct scan *s)
{
    s->word[s->word_len] = '\0';
    if (s->in_word && s->command.named)
        add_argument(&s->command, s->word);
    else if (s->in_word)
        name_command(&s->command, s->word, s->line);
    s->word_len = 0;
    s->in_word = false;
}

/* True: the command that ends here downloads. */
static bool end_command(struct scan *s, struct vmcp_download *ret)
{
    end_word(s);
    struct command c = s->command;
    s->command = (struct command){0};
    if (!c.row || !c.wanted || c.is_near)
        return false;
    ret->line = c.line;
    snprintf(ret->command, sizeof(ret->command), "%s%s", c.row->name, c.word);
    return true;
}

static void add_byte(struct scan *s, char c)
{
    s->in_word = true;
    if (s->word_len + 1 < sizeof(s->word))
        s->word[s->word_len++] = c;
}

static char frame(const struct scan *s)
{
    return s->depth ? s->frames[s->depth - 1] : '\0';
}

static void push(struct scan *s, char kind)
{
    if (s->depth < DEPTH_MAX)
        s->frames[s->depth++] = kind;
}

/* `<<WORD`, `<<-'WORD'`: the lines up to WORD are text. */
static void read_heredoc(struct scan *s)
{
    size_t n = 0;
    for (s->at += 2; s->at < s->end && strchr("- \t\"'\\", *s->at); s->at++)
        ;
    for (; s->at < s->end && !strchr(" \t\n\"';|&)", *s->at); s->at++)
        if (n + 1 < sizeof(s->heredoc))
            s->heredoc[n++] = *s->at;
    s->heredoc[n] = '\0';
}

static void skip_heredoc(struct scan *s)
{
    size_t len = strlen(s->heredoc);
    bool found = len == 0;
    while (!found && s->at < s->end) {
        const char *from = s->at, *end = memchr(s->at, '\n', (size_t)(s->end - s->at));
        if (!end)
            end = s->end;
        while (from < end && *from == '\t')
            from++;
        found = (size_t)(end - from) == len && memcmp(from, s->heredoc, len) == 0;
        s->at = end + (end < s->end);
        s->line++;
    }
    s->heredoc[0] = '\0';
}

static bool starts(const struct scan *s, const char *prefix)
{
    size_t len = strlen(prefix);
    return (size_t)(s->end - s->at) >= len && memcmp(s->at, prefix, len) == 0;
}

/* A byte of quoted text. True: done with it. */
static bool quoted(struct scan *s, struct vmcp_download *ret, bool *found)
{
    char c = *s->at, in = frame(s);
    if ((in != '"' && in != '\'') || (c == '\n' && s->is_yaml))
        return false; /* a line of a cloud-config may have one apostrophe */
    if (c == in) {
        s->depth--;
    } else if (in == '"' && (c == '`' || starts(s, "$("))) {
        *found = end_command(s, ret);
        push(s, c == '`' ? '`' : '(');
        s->at += c == '$';
    } else {
        if (in == '"' && c == '\\' && s->at + 1 < s->end)
            s->at++;
        s->line += *s->at == '\n';
        add_byte(s, *s->at);
    }
    s->at++;
    return true;
}

static void open_quote(struct scan *s, char c)
{
    bool runs = (s->is_yaml || s->command.shell) && !s->command.named && !s->in_word;
    push(s, !runs ? c : c == '"' ? 'd' : 's');
    if (!runs)
        s->in_word = true;
}

static bool end_line(struct scan *s, struct vmcp_download *ret)
{
    bool found = end_command(s, ret);
    s->line++;
    s->at++;
    if (s->is_yaml)
        s->depth = 0;
    skip_heredoc(s);
    return found;
}

/* A quote, a bracket or a separator outside quoted text. */
static bool structure(struct scan *s, char c, struct vmcp_download *ret)
{
    char in = frame(s);
    bool found = false;
    s->at++;
    if ((c == '"' && in == 'd') || (c == '\'' && in == 's')) {
        found = end_command(s, ret);
        s->depth--;
    } else if (c == '"' || c == '\'') {
        open_quote(s, c);
    } else {
        found = end_command(s, ret);
        if ((c == ')' && in == '(') || (c == '`' && in == '`'))
            s->depth--;
        else if (c == '(' || c == '`')
            push(s, c);
    }
    return found;
}

/* One byte, or what it begins. True: found. */
static bool step(struct scan *s, struct vmcp_download *ret)
{
    bool found = false;
    char c = *s->at;
    if (quoted(s, ret, &found))
        return found;
    if (c == '\n')
        return end_line(s, ret);
    if (strchr("\"'()`;&|", c))
        return structure(s, c, ret);
    if (c == '\\' && s->at + 1 < s->end) {
        s->at += 2;
        if (s->at[-1] == '\n') {
            end_word(s);
            s->line++;
        } else {
            add_byte(s, s->at[-1]);
        }
    } else if (c == '#' && !s->in_word) {
        while (s->at < s->end && *s->at != '\n')
            s->at++;
    } else if (starts(s, "<<<")) {
        end_word(s);
        s->at += 3;
    } else if (!s->is_yaml && starts(s, "<<")) {
        end_word(s);
        read_heredoc(s);
    } else {
        if (c == ' ' || c == '\t' || c == '\r' || (s->is_yaml && strchr("[],", c)))
            end_word(s);
        else
            add_byte(s, c);
        s->at++;
    }
    return false;
}

bool vmcp_download_find(const char *script, size_t len, struct vmcp_download *ret)
{
    struct scan s = {.at = script, .end = script + len, .line = 1};
    s.is_yaml = starts(&s, "#cloud-config");
    if (starts(&s, "#include")) {
        *ret = (struct vmcp_download){.line = 1, .command = "#include"};
        return true;
    }
    if (!s.is_yaml && !starts(&s, "#!"))
        return false;
    while (s.at < s.end)
        if (step(&s, ret))
            return true;
    return end_command(&s, ret);
}
