/* SPDX-License-Identifier: Apache-2.0 */
/* adc.h - which credential a run uses: Google's Application Default Credentials.
 *
 * The first that is there, in this order: --access-token-file; --credentials or
 * GOOGLE_APPLICATION_CREDENTIALS; VM-1's attribute service-credentials; the file that `gcloud auth
 * application-default login` writes; the metadata server. What was named and is missing or broken
 * is an error, never a reason to try the next.
 */
#ifndef LAUNCH_ADC_H
#define LAUNCH_ADC_H

#include <jansson.h>

#include "cloud/metadata.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "settings.h"
#include "source.h"

struct launch_adc {
    const char *token_file;                 /* borrowed; NULL: it is not that */
    json_t *document;                       /* of a credential file; owned; wiped */
    char *where;                            /* which file that is; owned */
    const struct launch_metadata *metadata; /* borrowed; NULL: it is not that */
};

/* Choose, and read the file. Errors: VMCP_E_CREDENTIALS where there is none, VMCP_E_FILE,
 * VMCP_E_FILE_MODE. */
VMCP_MUST_CHECK int launch_adc_find(const struct launch_settings *settings,
                                    const struct launch_metadata *metadata, struct launch_adc *ret,
                                    struct vmcp_error *err);

/* Make the source of what was chosen, and of --impersonate-service-account on top of it. A file's
 * universe_domain (googleapis.com where it names none) has to be that of the run, or it would
 * choose where its tokens go: VMCP_E_CREDENTIALS. */
VMCP_MUST_CHECK int launch_adc_source(const struct launch_adc *adc,
                                      const struct launch_settings *settings,
                                      const struct launch_purpose *purpose,
                                      struct launch_source **ret, struct vmcp_error *err);

void launch_adc_clear(struct launch_adc *adc);
#define auto_adc VMCP_AUTO(launch_adc_clear)

#endif
