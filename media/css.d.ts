// SPDX-License-Identifier: Apache-2.0

/** Style sheets are bundled beside the script; importing one gives nothing. */
declare module '*.css'
