// SPDX-License-Identifier: Apache-2.0

import type { Field } from './layout.ts'

/** struct bpf_lpm_trie_key: the length itself is no part of the prefix. */
const LENGTH_BYTES = 4

/**
 * How many bits of an address in a trie's key count, by the key's own prefix length. What stands before the address always
 * counts: cluster and family, a reverse NAT index, a VRF, or nothing.
 */
export function networkBits({ offset }: Field, prefixLength: number): number {
  return Math.max(0, prefixLength - 8 * (offset - LENGTH_BYTES))
}
