/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - every maximum, in one place. Sizes are bytes, times seconds, unless said otherwise. */
#ifndef VMCP_LIMITS_H
#define VMCP_LIMITS_H

/* names */
#define VMCP_SALT_MAX       256 /* cvm_salt and cvm_hostid, characters */
#define VMCP_SALT_LEN       64  /* what our clients make */
#define VMCP_HOSTID_LEN     64  /* SHA-256 in hex */
#define VMCP_NAME_MAX       63  /* a machine's name */
#define VMCP_DOMAIN_MAX     253 /* RFC 1035, section 2.3.4, in presentation form */
#define VMCP_THUMBPRINT_LEN 43  /* RFC 7638 with SHA-256, base64url */
#define VMCP_JTI_LEN        36  /* a UUID in text */

/* documents */
#define VMCP_ANSWER_MAX        (1024 * 1024)
#define VMCP_JSON_DEPTH        32
#define VMCP_CONFIG_MAX        (1024 * 1024)    /* a machine file */
#define VMCP_USER_DATA_MAX     (256 * 1024)     /* a metadata value of Compute Engine */
#define VMCP_PARAMETER_KEY_MAX 128              /* a VMCP parameter's name */
#define VMCP_PARAMETERS_MAX    256              /* VMCP parameters of one machine */
#define VMCP_MACHINES_MAX      100000           /* in one catalogue; of jobs as many */
#define VMCP_COUNT_MAX         1000             /* VMs of one machine */
#define VMCP_DIAGS_MAX         1000             /* errors and warnings of one file */
#define VMCP_SERIAL_MAX        9007199254740991 /* 2^53-1: what every JSON reader can hold */

/* jobs */
#define VMCP_JOB_URI_MAX           2083        /* Cloud Scheduler's */
#define VMCP_JOB_HEADERS_MAX       100         /* of one request */
#define VMCP_JOB_HEADERS_BYTES_MAX (80 * 1024) /* names and values; Cloud Scheduler's */
#define VMCP_JOB_DESCRIPTION_MAX   500         /* Cloud Scheduler's */
#define VMCP_JOB_TEXT_MAX          2083        /* an account, scope, audience */
#define VMCP_JOB_FIELD_MAX         255         /* of ${vmcp.previous.FIELD} */
#define VMCP_JOB_PREVIOUS_MAX      1024        /* what that becomes */
#define VMCP_JOB_RETRIES_MAX       5
#define VMCP_JOB_DOUBLINGS_MAX     1000
#define VMCP_JOB_DEADLINE_MIN      15 /* attemptDeadline */
#define VMCP_JOB_DEADLINE_MAX      1800
#define VMCP_JOB_DEADLINE_DEFAULT  180
#define VMCP_SCHEDULE_MAX          500              /* characters */
#define VMCP_SCHEDULE_EVERY_MAX    (31 * 24 * 3600) /* `every N minutes|hours` */
#define VMCP_ZONE_NAME_MAX         64
#define VMCP_ZONE_FILE_MAX         (64 * 1024)

/* keys */
#define VMCP_KEY_FILE_MAX      (64 * 1024)
#define VMCP_RSA_BITS_MIN      2048
#define VMCP_RSA_BITS_MAX      8192
#define VMCP_SIGNATURE_MAX     (VMCP_RSA_BITS_MAX / 8)
#define VMCP_TRUST_FILE_MAX    (256 * 1024)
#define VMCP_TRUST_KEYS_MAX    64
#define VMCP_KEYLIST_MAX       1000 /* domains of a version 1 key list */
#define VMCP_KEYLIST_BYTES_MAX (4 * 1024 * 1024)
#define VMCP_KEYRING_MAX       48     /* keys of one domain, in all states */
#define VMCP_KEYRING_LOCK_WAIT 15     /* seconds, for another program that has a keys folder */
#define VMCP_KEYFILE_NAME_MAX  127    /* a key file's name in a keys folder */
#define VMCP_KEY_NAME_MAX      4096   /* a path or URI that names a key, characters */
#define VMCP_PASSPHRASE_MAX    1000   /* what OpenSSL's own buffers hold */
#define VMCP_PBKDF2_ROUNDS     600000 /* of an encrypted key; a guess costs this much */
#define VMCP_SECRET_MIN        32     /* --secret FILE */
#define VMCP_SECRET_MAX        4096

/* time */
#define VMCP_TTL_DEFAULT       300
#define VMCP_TTL_MIN           30
#define VMCP_TTL_MAX           3600
#define VMCP_MIN_PUBLISHED     (24 * 3600) /* of a next key, before it may sign */
#define VMCP_RETIRE_AFTER      (48 * 3600) /* of a retired key, until it is forgotten */
#define VMCP_ROTATION_TIME_MAX (365 * 86400)
#define VMCP_SKEW_DEFAULT      300
#define VMCP_SKEW_MAX          3600
#define VMCP_TLS_WARN_BEFORE   (14 * 86400) /* the end of a server's certificate, that is */

/* HTTP, both servers */
#define HTTP_HEADER_MAX        (8 * 1024)  /* request line and headers */
#define HTTP_POOL_MAX          (10 * 1024) /* of a connection: headers, both ways */
#define HTTP_BODY_MAX          (1024 * 1024)
#define HTTP_PARAMS_MAX        32 /* query parameters of one request */
#define HTTP_SEGMENTS_MAX      24 /* {…} and * parts of one route */
#define HTTP_LISTENERS_MAX     16
#define HTTP_HOSTS_MAX         33 /* names that a server answers for: 32, and the domain */
#define HTTP_CONNECTIONS_MAX   4096
#define HTTP_CONNECTIONS_EACH  1500 /* of one address: 1,000 VMs behind it, and their retries */
#define HTTP_CONNECTIONS_VM    64   /* of one VM at the emulator, of those that it brings */
#define HTTP_HEADER_TIMEOUT    20   /* from accept, or the last answer, to the end of the headers */
#define HTTP_IDLE_TIMEOUT      30   /* without a byte, anywhere in a request or an answer */
#define HTTP_TRANSFER_TIMEOUT  120  /* for a body to come, and for an answer to go */
#define HTTP_RATE              500  /* requests a second of one address, in the long run */
#define HTTP_RATE_BURST        10000 /* at once: 1,000 VMs that boot, ten tries each */
#define HTTP_CONNECTION_RATE   500   /* connections a second of one address, in the long run */
#define HTTP_CONNECTION_BURST  20    /* seconds' worth of them at once: as many as requests */
#define HTTP_TRUSTED_MAX       64    /* blocks of trusted proxies */
#define HTTP_FORWARDED_MAX     1024  /* X-Forwarded-For, Forwarded: all their values */
#define HTTP_REPLY_HEADERS_MAX 12
#define HTTP_MEMO_MAX          32  /* what a waiting handler remembers */
#define HTTP_NOTE_MAX          192 /* what a handler tells the log hook */

#endif
