/* SPDX-License-Identifier: Apache-2.0 */
/* assets.h - the files of page/, inside the program. Each ends in a NUL. */
#ifndef SRV_ASSETS_H
#define SRV_ASSETS_H

extern const char srv_asset_html[], srv_asset_css[], srv_asset_js[];

#endif
