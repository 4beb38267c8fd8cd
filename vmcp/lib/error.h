/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - what can go wrong, named once.
 *
 * Every code has one line in VMCP_CODES, and everything that shows a code is made from it: the
 * problem+json bodies of the servers, `--json`, exit codes, the tables of the man pages. A library
 * function returns 0 or a negative code and puts the detail into an error that the caller owns:
 *
 *     struct vmcp_error err = {0};
 *     int rc = vmcp_key_load_private("domain.key", &key, &err);
 *     if (rc < 0)
 *         fprintf(stderr, "%s: %s\n", err.where, err.text);
 *
 * Library code never prints and never exits.
 */
#ifndef VMCP_ERROR_H
#define VMCP_ERROR_H

#include <stdarg.h>

#define VMCP_MUST_CHECK __attribute__((warn_unused_result))

/* The size of an array that a function fills, `uint8_t ret[VMCP_AT_LEAST(32)]`; C++ has no way to
 * say that it is a least size. */
#ifdef __cplusplus
#define VMCP_AT_LEAST(size) size
#else
#define VMCP_AT_LEAST(size) static size
#endif

/* Exit codes of `vmcp`, `vmcp-launch` and `vmcpd --check`. */
enum vmcp_exit {
    VMCP_EXIT_DONE = 0,
    VMCP_EXIT_REFUSED = 1,     /* signature, salt, host, time, serial, session, policy, drift */
    VMCP_EXIT_USAGE = 2,       /* the command line */
    VMCP_EXIT_INPUT = 3,       /* a local file, key, configuration or state */
    VMCP_EXIT_NETWORK = 4,     /* the network or the responder */
    VMCP_EXIT_CREDENTIALS = 5, /* no token to be had */
    VMCP_EXIT_API = 6,         /* the Compute API refused */
    VMCP_EXIT_OPERATION = 7,   /* the operation failed */
    VMCP_EXIT_TIMEOUT = 8,     /* it took too long */
};

/* X(symbol, stable name, HTTP status, exit code, meaning) */
#define VMCP_CODES(X)                                                                              \
    /* the command line and the machine that it runs on */                                         \
    X(USAGE, "usage", 400, 2, "the command line is wrong")                                         \
    X(NO_MEMORY, "no-memory", 500, 3, "memory ran out")                                            \
    X(CRYPTO, "crypto", 500, 3, "the cryptographic library failed")                                \
    X(INTERNAL, "internal", 500, 3, "a fault of the program itself")                               \
    X(LIMIT, "limit", 413, 3, "a value is over its limit")                                         \
    X(FILE, "file", 500, 3, "a file cannot be read or written")                                    \
    X(FILE_EXISTS, "file-exists", 500, 3, "a file is there already and is not overwritten")        \
    X(FILE_MODE, "file-mode", 500, 3, "a private file can be read by others")                      \
    X(STATE, "state-damaged", 500, 3, "the state folder is damaged")                               \
    X(STATE_BUSY, "state-busy", 500, 3, "another run holds the lock of this machine")              \
    /* documents */                                                                                \
    X(JSON, "json-malformed", 400, 3, "not strict JSON")                                           \
    X(CONFIG, "config-invalid", 500, 3, "a machine file breaks its rules")                         \
    X(MACHINE, "machine-invalid", 500, 1, "the machine breaks the VMCP schema")                    \
    X(MACRO, "macro-invalid", 500, 3, "a ${vmcp.…} macro is unknown or not allowed there")         \
    X(JOB, "job-invalid", 500, 1, "the job breaks its rules")                                      \
    X(PLAN, "plan-invalid", 500, 3, "the machine cannot become a Compute Engine instance")         \
    /* keys and trust */                                                                           \
    X(KEY, "key-malformed", 500, 3, "not a key that can be read")                                  \
    X(KEY_UNSUPPORTED, "key-unsupported", 500, 3, "a key of a type or size that is not used here") \
    X(KEY_PUBLIC_ONLY, "key-public-only", 500, 3, "signing needs the private key")                 \
    X(KEY_DEVICE, "key-device", 500, 3, "the token or TPM that holds a key does not serve")        \
    X(PASSPHRASE, "passphrase", 500, 3, "a key's passphrase or PIN is missing or wrong")           \
    X(TRUST, "trust-invalid", 500, 3, "the trusted keys cannot be read, or are empty")             \
    X(TOO_EARLY, "rotation-too-early", 500, 1, "the next key was not published long enough")       \
    /* the question */                                                                             \
    X(SALT_MISSING, "salt-missing", 400, 2, "the question has no salt")                            \
    X(SALT_MALFORMED, "salt-malformed", 400, 2, "a salt is 1 to 256 of A-Z a-z 0-9 -")             \
    X(HOSTID_REQUIRED, "hostid-required", 400, 2, "the question has no host id")                   \
    X(HOSTID_MALFORMED, "hostid-malformed", 400, 2, "a host id is 1 to 256 of A-Z a-z 0-9 -")      \
    X(NAME_MALFORMED, "name-malformed", 400, 2, "a machine is named [a-z0-9][a-z0-9-]{0,62}")      \
    X(NAME_CONFLICT, "name-conflict", 400, 2, "the URL names two machines")                        \
    X(DOMAIN_MALFORMED, "domain-malformed", 400, 2, "a domain is a lower-case host name")          \
    X(PARAMETER_REPEATED, "parameter-repeated", 400, 2, "a parameter is given twice")              \
    X(URL_MALFORMED, "url-malformed", 400, 2, "not a URL that can be used here")                   \
    X(REQUEST_MALFORMED, "request-malformed", 400, 4, "the HTTP request breaks the rules")         \
    X(NOT_FOUND, "not-found", 404, 4, "there is nothing at this path")                             \
    X(MACHINE_UNKNOWN, "machine-unknown", 404, 4, "there is no machine of that name")              \
    X(JOB_UNKNOWN, "job-unknown", 404, 4, "there is no job of that name")                          \
    X(METHOD, "method-not-allowed", 405, 4, "the path does not take this method")                  \
    X(NO_RSA_KEY, "no-rsa-key", 406, 3, "version 1 needs an active RSA key")                       \
    X(VERSION_2_ONLY, "version-2-only", 406, 3, "version 1 cannot carry this machine")             \
    X(FORBIDDEN, "forbidden", 403, 4, "the request comes from where it may not")                   \
    X(MISDIRECTED, "misdirected", 421, 4,                                                          \
      "the server does not answer for the host that was asked")                                    \
    X(OVERLOADED, "overloaded", 503, 4, "the server has no room for this request now")             \
    X(RATE, "rate-limited", 429, 4, "this address asks more often than the server allows")         \
    /* the answer */                                                                               \
    X(ANSWER_TOO_LARGE, "answer-too-large", 500, 1, "the answer is over 1 MiB")                    \
    X(ANSWER_MALFORMED, "answer-malformed", 500, 1, "the answer is not of the asked-for format")   \
    X(TYP, "typ-wrong", 500, 1, "the token is not a VMCP answer")                                  \
    X(ALG, "alg-refused", 500, 1, "the signature algorithm is not one of VMCP's")                  \
    X(HEADER, "header-refused", 500, 1, "the JWS header has a member that is never accepted")      \
    X(KEY_UNTRUSTED, "key-untrusted", 500, 1, "the signing key is not trusted for this domain")    \
    X(KEY_MISMATCH, "key-mismatch", 500, 1, "the key does not fit the algorithm")                  \
    X(SIGNATURE, "signature-invalid", 500, 1, "the signature does not fit the answer")             \
    X(CLAIMS, "claims-malformed", 500, 1, "a claim is missing or of the wrong type")               \
    X(DOMAIN_MISMATCH, "domain-mismatch", 500, 1, "the answer is of another domain")               \
    X(MACHINE_MISMATCH, "machine-mismatch", 500, 1, "the answer is another machine's")             \
    X(JOB_MISMATCH, "job-mismatch", 500, 1, "the answer is another job")                           \
    X(HOSTID_MISMATCH, "hostid-mismatch", 500, 1, "the answer is for another host")                \
    X(SALT_MISMATCH, "salt-mismatch", 500, 1, "the answer is to another question: a replay")       \
    X(NOT_YET_VALID, "not-yet-valid", 500, 1, "the answer is from the future")                     \
    X(EXPIRED, "expired", 500, 1, "the answer is too old")                                         \
    X(LIFETIME, "lifetime-invalid", 500, 1, "the answer claims an impossible lifetime")            \
    X(SERIAL, "serial-rollback", 500, 1, "a newer serial of this machine was seen before")         \
    /* the network */                                                                              \
    X(PLAIN_HTTP, "plain-http", 500, 2, "plain http beyond loopback needs --allow-http")           \
    X(NETWORK, "network", 502, 4, "the other side cannot be reached")                              \
    X(RESPONDER, "responder-error", 502, 4, "the responder answered with an error")                \
    X(REDIRECT, "redirect-refused", 502, 4, "redirects are not followed")                          \
    X(CONTENT_TYPE, "content-type", 502, 4, "the answer is of another type than asked for")        \
    /* the launch */                                                                               \
    X(POLICY, "policy", 500, 1, "the machine asks for more than this launcher allows")             \
    X(PRIVATE_KEY, "private-key", 500, 1, "a metadata value holds a private key")                  \
    X(SESSION, "session-conflict", 500, 1, "the name is taken by another session's VM")            \
    X(DRIFT, "drift", 500, 1, "the stopped VM differs from what was signed")                       \
    X(CREDENTIALS, "credentials", 401, 5, "no access token can be had")                            \
    X(API, "api-refused", 502, 6, "the Compute API refused the request")                           \
    X(OPERATION, "operation-failed", 502, 7, "the operation ended in an error")                    \
    X(TIMEOUT, "timeout", 504, 8, "it took longer than allowed")

enum vmcp_code {
    VMCP_OK = 0,
#define VMCP_CODE_ENUM(symbol, name, http, exit, meaning) VMCP_E_##symbol,
    VMCP_CODES(VMCP_CODE_ENUM)
#undef VMCP_CODE_ENUM
        VMCP_CODE_COUNT
};

/* The detail of a failure. Owned by the caller; a function fills it only when it fails. */
struct vmcp_error {
    enum vmcp_code code;
    char where[96]; /* a file, a field or a position, or "" */
    char text[256]; /* what was wrong, and what would be right; UTF-8, one line */
};

/* Fill *err (NULL: nowhere) and return -code. A text that is too long is cut. */
int vmcp_fail(struct vmcp_error *err, enum vmcp_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with the place of the fault (borrowed, copied; cut at the front when too long). */
int vmcp_fail_at(struct vmcp_error *err, enum vmcp_code code, const char *where, const char *fmt,
                 ...) __attribute__((format(printf, 4, 5)));

int vmcp_vfail_at(struct vmcp_error *err, enum vmcp_code code, const char *where, const char *fmt,
                  va_list args) __attribute__((format(printf, 4, 0)));

/* Put `where` in front of a failure that has no place yet, and return -err->code. */
int vmcp_error_locate(struct vmcp_error *err, const char *where);

/* Name the option that a failure comes from: `where` stays, and the text becomes "--option: TEXT".
 * With `value` (NULL: the place says it) that is the place, and the text becomes "--option VALUE:
 * TEXT". Returns -err->code. */
int vmcp_error_option(struct vmcp_error *err, const char *option, const char *value);

/* Make one line of UTF-8 of any bytes, in place: what is not a character, or a control character
 * (those of the direction of writing too), becomes question marks, and the value of a `pin-value=`
 * (RFC 7512) one `*`. Every message goes through it: it may quote a hostile document or a key's
 * URI, and goes to terminals, logs and JSON. */
void vmcp_text_clean(char *text);

/* The stable name ("salt-malformed"; "ok" for 0), the meaning, the HTTP status for a problem
 * body, the exit code. `code` out of range reads as VMCP_E_INTERNAL. Never NULL. */
const char *vmcp_code_name(enum vmcp_code code);
const char *vmcp_code_meaning(enum vmcp_code code);
int vmcp_code_http(enum vmcp_code code);
int vmcp_code_exit(enum vmcp_code code);

#endif
