/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_VERSION_H
#define TRIPSWITCH_VERSION_H

/*
 * The version of the library, and of the SDK contract it conforms to. The
 * macros tell what a program was compiled against, the functions what it runs
 * with. All functions here may be called from any thread.
 */

#include "tripswitch/extern.h"

#define TS_VERSION_MAJOR 0
#define TS_VERSION_MINOR 1
#define TS_VERSION_PATCH 0
#define TS_VERSION "0.1.0"

/* (major << 16) | (minor << 8) | patch */
#define TS_VERSION_NUMBER                                                      \
  ((TS_VERSION_MAJOR << 16) | (TS_VERSION_MINOR << 8) | TS_VERSION_PATCH)

/*
 * Version of the Tripswitch SDK contract
 * (https://tripswitch.dev/docs/sdk-contract) that the runtime client follows.
 */
#define TS_CONTRACT_VERSION "0.2"

TS_BEGIN_DECLS

/* TS_VERSION of the library that runs. Static text. */
TS_EXTERN const char *ts_version(void);

/* TS_VERSION_NUMBER of the library that runs. */
TS_EXTERN unsigned ts_version_number(void);

/* TS_CONTRACT_VERSION of the library that runs. Static text. */
TS_EXTERN const char *ts_contract_version(void);

TS_END_DECLS

#endif /* TRIPSWITCH_VERSION_H */
