// SPDX-License-Identifier: Apache-2.0

export type Family = 4 | 6

/** An IP address by value: IPv4 as an unsigned 32-bit number, IPv6 as an unsigned 128-bit one. */
export type Address = { readonly family: 4; readonly value: number } | { readonly family: 6; readonly value: bigint }
