/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_TRIPSWITCH_H
#define TRIPSWITCH_TRIPSWITCH_H

/*
 * The umbrella: the whole runtime client, and breakers that need no service.
 * Start reading at client.h, or at breaker.h for the latter; admin.h (the
 * management API), dynamodb.h (a store for breakers that share) and plane.h (a
 * control plane of your own, libtripswitch-plane) are included separately.
 */

#include "tripswitch/breaker.h"
#include "tripswitch/call.h"
#include "tripswitch/client.h"
#include "tripswitch/errors.h"
#include "tripswitch/guard.h"
#include "tripswitch/metadata.h"
#include "tripswitch/redis.h"
#include "tripswitch/retry.h"
#include "tripswitch/sample.h"
#include "tripswitch/state.h"
#include "tripswitch/store.h"
#include "tripswitch/version.h"

#endif /* TRIPSWITCH_TRIPSWITCH_H */
