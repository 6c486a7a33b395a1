/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_EXTERN_H
#define TRIPSWITCH_EXTERN_H

/*
 * Visibility of the public symbols. Everything else in the libraries is
 * hidden; the export map names the same symbols once more.
 */

#if defined(__GNUC__)
#define TS_EXTERN __attribute__((visibility("default")))
#else
#define TS_EXTERN
#endif

#ifdef __cplusplus
#define TS_BEGIN_DECLS extern "C" {
#define TS_END_DECLS }
#else
#define TS_BEGIN_DECLS
#define TS_END_DECLS
#endif

#endif /* TRIPSWITCH_EXTERN_H */
