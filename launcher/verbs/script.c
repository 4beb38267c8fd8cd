/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <stdbool.h>
#include <string.h>

#include "lib/auto.h"

/* What stands before the URL, between the two values, and after them. */
static const char before[] =
    "#!/bin/bash\n"
    "# VM-1's startup script, made by `vmcp-launch bootstrap`: the same for every VM-1 but for "
    "the\n"
    "# two values below. Every setting is a metadata attribute. It runs at each boot, and may run\n"
    "# any number of times.\n"
    "set -u\n"
    "umask 077\n"
    "launcher_url='";
static const char between[] = "'\n"
                              "launcher_sha256='";
static const char after[] =
    "'\n"
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    "folder=/var/lib/vmcp/bin\n"
    "[ \"$(id -u)\" = 0 ] || folder=\"${HOME:-/nonexistent}/.local/state/vmcp/bin\"\n"
    "launcher=\n"
    "\n"
    "say() { echo \"vmcp-bootstrap: $*\"; }\n"
    "\n"
    "has_sum() { echo \"$launcher_sha256  $1\" | sha256sum --check --status; }\n"
    "\n"
    "# The launcher that is there already: with a sum, only one of that sum will do.\n"
    "find_launcher() {\n"
    "    local file\n"
    "    for file in \"$folder/vmcp-launch\" \"$(command -v vmcp-launch)\"; do\n"
    "        [ -x \"$file\" ] || continue\n"
    "        if [ -n \"$launcher_sha256\" ] && ! has_sum \"$file\"; then continue; fi\n"
    "        launcher=$file\n"
    "        return 0\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "\n"
    "fetch() {\n"
    "    if command -v curl >/dev/null; then\n"
    "        curl --fail --silent --show-error --location --proto =http,https \\\n"
    "            --connect-timeout 10 --max-time 120 --output \"$1\" \"$launcher_url\"\n"
    "    elif command -v wget >/dev/null; then\n"
    "        wget --quiet --tries=1 --timeout=30 --output-document=\"$1\" \"$launcher_url\"\n"
    "    else\n"
    "        python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' \\\n"
    "            \"$launcher_url\" \"$1\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "install_launcher() {\n"
    "    local new try\n"
    "    mkdir -p \"$folder\" || return 1\n"
    "    new=$(mktemp \"$folder/.new.XXXXXX\") || return 1\n"
    "    for try in 1 2 3 4 5 6 7 8; do\n"
    "        say \"getting vmcp-launch from $launcher_url (try $try)\"\n"
    "        if fetch \"$new\"; then\n"
    "            if has_sum \"$new\"; then\n"
    "                chmod 755 \"$new\" && mv -f \"$new\" \"$folder/vmcp-launch\" && return 0\n"
    "            fi\n"
    "            say 'refused: what came has another SHA-256 than asked for'\n"
    "            break\n"
    "        fi\n"
    "        sleep $((try * 2))\n"
    "    done\n"
    "    rm -f \"$new\"\n"
    "    return 1\n"
    "}\n"
    "\n"
    "runs() { \"$launcher\" version >/dev/null 2>&1; }\n"
    "\n"
    "install_libraries() {\n"
    "    local try\n"
    "    export DEBIAN_FRONTEND=noninteractive\n"
    "    for try in 1 2 3; do\n"
    "        say \"installing libcurl4 and libjansson4 (try $try)\"\n"
    "        apt-get -q -o DPkg::Lock::Timeout=120 update &&\n"
    "            apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends \\\n"
    "                libcurl4 libjansson4 && return 0\n"
    "        sleep 5\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "\n"
    "if ! find_launcher; then\n"
    "    if [ -z \"$launcher_url\" ]; then\n"
    "        say 'vmcp-launch is not installed, and no --launcher-url was given'\n"
    "        exit 3\n"
    "    fi\n"
    "    if ! install_launcher || ! find_launcher; then\n"
    "        say 'vmcp-launch cannot be had'\n"
    "        exit 4\n"
    "    fi\n"
    "fi\n"
    "if ! runs; then\n"
    "    install_libraries\n"
    "    if ! runs; then\n"
    "        say \"$launcher does not run here:\"\n"
    "        \"$launcher\" version\n"
    "        exit 3\n"
    "    fi\n"
    "fi\n"
    "say \"starting $launcher\"\n"
    "\"$launcher\" launch --wait-api --json\n"
    "code=$?\n"
    "say \"vmcp-launch ended with exit code $code\"\n"
    "exit $code\n";

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* http(s)://HOST[:PORT]/PATH, of characters that mean nothing between single quotes. */
static bool is_plain_url(const char *url)
{
    const char *rest = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    if (!rest || strlen(url) > 1024)
        return false;
    size_t host = strspn(rest, ALNUM ".-:[]");
    if (!host || rest[host] != '/')
        return false;
    return rest[host + strspn(rest + host, ALNUM "-._~/%+:@=&?,;")] == '\0';
}

static bool is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

int launch_script_make(const char *url, const char *sha256, char **ret, struct vmcp_error *err)
{
    if (!url != !sha256)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--launcher-url and --launcher-sha256 belong together: what is fetched "
                         "is only run if it is what was meant");
    if (url && !is_plain_url(url))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--launcher-url: http://HOST/PATH or https://HOST/PATH is wanted, of "
                         "letters, digits and -._~/%%+:@=&?,; only");
    if (sha256 && !is_sha256(sha256))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--launcher-sha256: 64 lower-case hex digits are wanted, as sha256sum "
                         "prints them");
    if (asprintf(ret, "%s%s%s%s%s", before, url ? url : "", between, sha256 ? sha256 : "", after) <
        0) {
        *ret = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a script");
    }
    return 0;
}
