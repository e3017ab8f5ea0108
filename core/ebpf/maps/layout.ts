// SPDX-License-Identifier: Apache-2.0

/**
 * What the bytes of a map's keys and values mean, as data. Maps without BTF (all of Cilium's) are decoded by these tables, so
 * that another version is another row, never another code path.
 */

export type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'i32'
  /** Network byte order, whatever the host's. */
  | 'be16'
  | 'be32'
  | 'ipv4'
  | 'ipv6'
  /** 16 bytes holding an IPv6 address, or an IPv4 one in the first four: `ipv6When` says which. */
  | 'ip'
  | 'mac'
  | 'bytes'
  /** A row of u32 over the rest of the value: how many there are is the map's own affair. */
  | 'u32s'

export interface Field {
  readonly name: string
  readonly type: FieldType
  /** From the start of the key or value, bytes. */
  readonly offset: number
  /** Only of `bytes` and `u32s`. */
  readonly size?: number
  /** Only of integers: the bits that count, from the least significant one. */
  readonly bits?: { readonly shift: number; readonly width: number }
  /** Only of `ip`: the byte of the same struct that tells the family, and which of its bits, when set to `equals`, mean IPv6. */
  readonly ipv6When?: { readonly offset: number; readonly mask: number; readonly equals: number }
  /** What the number stands for, so that a view can show a name: "identity", "endpoint", "backend", … */
  readonly means?: Meaning
  /** Names of single bits, least significant first; null where a bit has none. */
  readonly flags?: readonly (string | null)[]
  /** Names of values. */
  readonly values?: Readonly<Record<number, string>>
}

export type Meaning =
  | 'identity'
  | 'endpoint'
  | 'backend'
  | 'revnat'
  | 'node'
  | 'ifindex'
  | 'protocol'
  | 'netns-cookie'
  | 'socket-cookie'
  | 'ktime-ns'
  | 'seconds-since-boot'
  /** Id of another map of the kernel's. */
  | 'map'

/** How users think of a map. */
export type MapGroup = 'services' | 'identities' | 'policy' | 'connections' | 'nat' | 'other'

/** Minor versions of Cilium 1: 16 is 1.16. Both ends count. */
export interface Versions {
  readonly first: number
  readonly last: number
}

export interface MapLayout {
  /** Pinned name, or its beginning where an endpoint's id follows. */
  readonly name: string
  /** The releases that have the map with these very bytes. */
  readonly versions: Versions
  /** True: `name` is a prefix followed by five digits, or by a name of its own. */
  readonly prefix?: boolean
  /** What the digits behind a prefix count. */
  readonly of?: 'endpoint' | 'cluster'
  /** True: lies within another map and has no pin, so that the kernel's name of 15 characters is all there is. */
  readonly inner?: boolean
  readonly group: MapGroup
  readonly title: string
  readonly family?: 4 | 6
  readonly keySize: number
  readonly valueSize: number
  readonly key: readonly Field[]
  readonly value: readonly Field[]
  /** Values are one per possible CPU, each rounded up to 8 bytes, and are summed. */
  readonly perCpu?: boolean
}
