// SPDX-License-Identifier: Apache-2.0

/**
 * What a rule consists of, for iptables and nft alike. A rule's statements run in order; each is a match (goes on, or ends the
 * rule) or an action. Sugar is taken apart by the parsers: `-j MARK --set-xmark 0x4000/0x4000` and
 * `meta mark set meta mark | 0x4000` both become an `assign`, `-m multiport --dports 80,443` and `tcp dport { 80, 443 }` both a
 * `compare`. Own kinds exist only where the kernel's semantics differ (xt_statistic, ipset, xt_owner, xt_addrtype, …).
 *
 * Matches on a protocol's header need no extra protocol test: `tcp dport` of a UDP packet is absent, and a comparison with
 * something absent never holds, negated or not (nft's NFT_BREAK).
 */

/**
 * A value. Numbers for everything up to 48 bits (IPv4 addresses as unsigned 32-bit, MAC addresses, ports, marks, protocol
 * numbers, bit sets), bigint for IPv6 addresses and wider raw data, strings for interface names, helpers, cgroups and
 * `fib … type` (an AddressType such as "local").
 */
export type Scalar = number | bigint | string

/** One entry of a value list: a set element's key, a right-hand side, a map's data. */
export type Element =
  | { readonly kind: 'value'; readonly value: Scalar }
  /** Both ends included. Prefixes are ranges too (`prefixElement` in elements.ts makes them). */
  | { readonly kind: 'range'; readonly from: Scalar; readonly to: Scalar }
  /** Interface names: "cali+" and "cali*" have the prefix "cali"; the empty prefix matches every name. */
  | { readonly kind: 'wildcard'; readonly prefix: string }
  /** `ip saddr . tcp dport`: one element per part. */
  | { readonly kind: 'concat'; readonly parts: readonly Element[] }
  /** nft's catch-all `*`. */
  | { readonly kind: 'any' }

export type ValueSet =
  /** Holds if one of the elements does. An anonymous set, a single value and a comma list are all this. */
  | { readonly kind: 'literal'; readonly elements: readonly Element[] }
  /** A named nft set of the same table (`@name`). */
  | { readonly kind: 'set'; readonly name: string }
  /** Another expression: `meta mark == ct mark`. */
  | { readonly kind: 'expression'; readonly expression: Expression }

/**
 * `eq`/`ne` are "in"/"not in" the value set. The others compare with a single value. Bit tests (`ct status dnat`,
 * `tcp flags syn`, `--tcp-flags SYN,ACK SYN`) are written with a binary `&`: `(tcp flags & syn) ne 0`.
 */
export type CompareOp = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

export type PayloadSelector =
  | { readonly kind: 'payload'; readonly protocol: 'ether'; readonly field: 'saddr' | 'daddr' | 'type' }
  | {
      readonly kind: 'payload'
      readonly protocol: 'ip'
      /** `options` exists only as a test that can't be decided. `frag-off` is the 16-bit field with flags. */
      readonly field:
        | 'saddr'
        | 'daddr'
        | 'protocol'
        | 'ttl'
        | 'dscp'
        | 'ecn'
        | 'length'
        | 'id'
        | 'frag-off'
        | 'version'
        | 'hdrlength'
    }
  | {
      readonly kind: 'payload'
      readonly protocol: 'ip6'
      readonly field: 'saddr' | 'daddr' | 'nexthdr' | 'hoplimit' | 'dscp' | 'ecn' | 'length' | 'flowlabel' | 'version'
    }
  | {
      readonly kind: 'payload'
      readonly protocol: 'tcp'
      readonly field: 'sport' | 'dport' | 'flags' | 'sequence' | 'ackseq' | 'window' | 'doff' | 'checksum' | 'urgptr'
    }
  | { readonly kind: 'payload'; readonly protocol: 'udp'; readonly field: 'sport' | 'dport' | 'length' | 'checksum' }
  /** `th`: ports of whichever transport the packet has (TCP, UDP, UDP-Lite, SCTP, DCCP). */
  | { readonly kind: 'payload'; readonly protocol: 'th' | 'sctp' | 'dccp' | 'udplite'; readonly field: 'sport' | 'dport' }
  | {
      readonly kind: 'payload'
      readonly protocol: 'icmp' | 'icmpv6'
      readonly field: 'type' | 'code' | 'id' | 'sequence' | 'mtu'
    }
  /** Raw bits, network byte order. Offset and length in bits. */
  | {
      readonly kind: 'raw'
      readonly base: 'link' | 'network' | 'transport' | 'inner'
      readonly offset: number
      readonly length: number
    }
  /** A field the packet model has no fact for: `arp …`, `vlan …`, `ah spi`. Undecidable, named for the person. */
  | { readonly kind: 'field'; readonly name: string }

export type MetaKey =
  | 'length'
  /** Ethertype: 0x0800, 0x86dd, … */
  | 'protocol'
  /** 2 (IPv4) or 10 (IPv6), as AF_INET and AF_INET6. */
  | 'nfproto'
  | 'l4proto'
  | 'mark'
  | 'priority'
  /** Interface indexes: compared by name, so their values are strings too. */
  | 'iif'
  | 'oif'
  | 'iifname'
  | 'oifname'
  | 'iiftype'
  | 'oiftype'
  | 'iifgroup'
  | 'oifgroup'
  | 'iifkind'
  | 'oifkind'
  | 'skuid'
  | 'skgid'
  | 'cgroup'
  | 'cpu'
  | 'pkttype'
  | 'nftrace'
  | 'rtclassid'
  | 'random'
  | 'ipsec'
  | 'time'
  | 'day'
  | 'hour'
  | 'sdif'
  | 'sdifname'
  /** Bridge port names: `meta ibrname`/`obrname` are the bridges, `physin`/`physout` the ports (xt_physdev). */
  | 'ibrname'
  | 'obrname'
  | 'physin'
  | 'physout'

export type CtKey =
  /** CT_STATE bits: see below. */
  | 'state'
  /** 0 original, 1 reply. */
  | 'direction'
  /** IPS_* bits. */
  | 'status'
  | 'mark'
  | 'zone'
  | 'secmark'
  | 'expiration'
  | 'helper'
  | 'label'
  | 'id'
  | 'event'
  | 'count'
  | 'l3proto'
  | 'protocol'
  | 'saddr'
  | 'daddr'
  | 'proto-src'
  | 'proto-dst'
  | 'bytes'
  | 'packets'
  | 'avgpkt'

/** Values of `ct state` (net/netfilter/nft_ct.c, NF_CT_STATE_BIT). The state is one of them, so `eq` with a list is a bit test. */
export const CT_STATE = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const

/** Values of `ct status` (include/uapi/linux/netfilter/nf_conntrack_common.h). */
export const CT_STATUS = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const

/** What is looked at. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: Element }
  | PayloadSelector
  | { readonly kind: 'meta'; readonly key: MetaKey }
  /** `direction` picks a tuple for addresses, ports, bytes, packets and zone; undefined: as the packet's own. */
  | {
      readonly kind: 'ct'
      readonly key: CtKey
      readonly direction?: 'original' | 'reply'
      /** `ct original ip saddr`: absent for connections of the other family. */
      readonly family?: 4 | 6
    }
  | {
      readonly kind: 'fib'
      readonly selectors: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif')[]
      /** `oif` and `oifname` yield the device's name; `missing` / `exists` tests are `oif` compared with the value ''. */
      readonly result: 'oif' | 'oifname' | 'type'
    }
  | { readonly kind: 'rt'; readonly key: 'classid' | 'nexthop' | 'mtu' | 'ipsec' }
  | { readonly kind: 'socket'; readonly key: 'transparent' | 'mark' | 'wildcard' | 'cgroupv2'; readonly level?: number }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly modulus: number; readonly offset: number }
  | {
      readonly kind: 'hash'
      readonly algorithm: 'jhash' | 'symhash'
      readonly of: readonly Expression[]
      readonly modulus: number
      readonly seed?: number
      readonly offset: number
    }
  /** A header that may or may not be there: IPv6 extension headers, TCP and IP options. Without `field`: does it exist (0, 1). */
  | {
      readonly kind: 'exthdr'
      readonly header: 'ip6' | 'tcp-option' | 'ip-option' | 'sctp-chunk'
      readonly name: string
      readonly field?: string
    }
  | { readonly kind: 'osf' }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] }
  | {
      readonly kind: 'binary'
      readonly op: '&' | '|' | '^' | '<<' | '>>'
      readonly left: Expression
      readonly right: Expression
    }
  /** Data looked up by key; absent when the key is not there. */
  | { readonly kind: 'map'; readonly key: Expression; readonly map: MapReference }
  /** Something the parser recognised as an expression but has no model for. */
  | { readonly kind: 'unknown'; readonly text: string }

export type MapReference =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'anonymous'; readonly elements: readonly SetElement[] }

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'queue'; readonly from: number; readonly to: number; readonly bypass: boolean }

/** An nft set, map or verdict map. */
export interface NftSet {
  readonly name: string
  readonly kind: 'set' | 'map' | 'verdict-map' | 'object-map'
  /** nft's type names, one per concatenated part: ["ipv4_addr", "inet_service"]. Empty when only a `typeof` was given. */
  readonly keyType: readonly string[]
  readonly flags: readonly ('constant' | 'interval' | 'timeout' | 'dynamic')[]
  readonly elements: readonly SetElement[]
  /** Elements could not be read: that a key is not here says nothing. */
  readonly incomplete?: boolean
  readonly position: { readonly file: string; readonly line: number }
}

export interface SetElement {
  readonly key: Element
  /** Of maps. */
  readonly data?: Element
  /** Of verdict maps. */
  readonly verdict?: Verdict
  /** Of object maps. */
  readonly object?: string
  /** Limits and quotas of the element's own (`{ 10.0.0.1 limit rate 5/second }`): they may end the rule when it is hit. */
  readonly matches?: readonly Match[]
  readonly comment?: string
  /** Line of the element in its file, where one can be told. */
  readonly line?: number
}

export type Match =
  | { readonly kind: 'compare'; readonly key: Expression; readonly op: CompareOp; readonly value: ValueSet }
  /** All or any of several matches (`-m multiport --ports`, `--ctstate NEW,DNAT`), perhaps negated as a whole. */
  | { readonly kind: 'group'; readonly mode: 'all' | 'any'; readonly negated: boolean; readonly of: readonly Match[] }
  /** xt_statistic. `probability` 0…1. `nth`: holds once in `every` packets, the `packet`th counted from 0. */
  | { readonly kind: 'statistic'; readonly mode: 'random'; readonly probability: number; readonly negated: boolean }
  | {
      readonly kind: 'statistic'
      readonly mode: 'nth'
      readonly every: number
      readonly packet: number
      readonly negated: boolean
    }
  /** ipset: one direction per dimension of the set. `stateful` options (counters, nomatch return) make it undecidable. */
  | {
      readonly kind: 'ipset'
      readonly set: string
      readonly directions: readonly ('src' | 'dst')[]
      readonly negated: boolean
      readonly returnNomatch: boolean
      readonly stateful: boolean
    }
  /** xt_owner: without a socket, only wholly negated forms hold. */
  | {
      readonly kind: 'owner'
      readonly uid?: { readonly from: number; readonly to: number; readonly negated: boolean }
      readonly gid?: { readonly from: number; readonly to: number; readonly negated: boolean }
      readonly socketExists?: boolean
    }
  /** xt_addrtype. `limit`: look only at the interface the packet came in by or leaves by. */
  | {
      readonly kind: 'addrtype'
      readonly source?: { readonly types: readonly string[]; readonly negated: boolean }
      readonly destination?: { readonly types: readonly string[]; readonly negated: boolean }
      readonly limit?: 'iif' | 'oif'
    }
  | {
      readonly kind: 'rpfilter'
      readonly loose: boolean
      readonly validMark: boolean
      readonly acceptLocal: boolean
      readonly invert: boolean
    }
  | { readonly kind: 'socket-match'; readonly transparent: boolean; readonly noWildcard: boolean; readonly restoreMark: boolean }
  | {
      readonly kind: 'physdev'
      readonly test: 'is-in' | 'is-out' | 'is-bridged'
      readonly negated: boolean
    }
  | { readonly kind: 'policy'; readonly direction: 'in' | 'out'; readonly policy: 'none' | 'ipsec'; readonly text: string }
  /** xt_recent. `set` always holds; the others depend on what was seen before. */
  | {
      readonly kind: 'recent'
      readonly mode: 'set' | 'rcheck' | 'update' | 'remove'
      readonly negated: boolean
      readonly name: string
    }
  /** Rate and amount: limit, hashlimit, quota, connlimit, connbytes, `ct count`. They depend on earlier packets. */
  | { readonly kind: 'rate'; readonly name: string; readonly text: string }
  /** A named nft object used as a match: `limit name "x"`, `quota name "x"`. */
  | { readonly kind: 'unknown-match'; readonly name: string; readonly text: string }

export interface NatFlags {
  readonly random: boolean
  readonly fullyRandom: boolean
  readonly persistent: boolean
}

/** What an `assign` writes to. */
export type AssignTarget =
  | PayloadSelector
  | { readonly kind: 'meta'; readonly key: MetaKey }
  | { readonly kind: 'ct'; readonly key: CtKey; readonly direction?: 'original' | 'reply' }
  | {
      readonly kind: 'exthdr'
      readonly header: 'ip6' | 'tcp-option' | 'ip-option' | 'sctp-chunk'
      readonly name: string
      readonly field?: string
    }

export type Action =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Verdict map lookup; goes on with the next statement when the key is not there. */
  | { readonly kind: 'vmap'; readonly key: Expression; readonly map: MapReference }
  /** `with`: "icmp-port-unreachable", "icmpv6-adm-prohibited", "icmpx-port-unreachable", "tcp-reset", …, as iptables and nft name them. */
  | { readonly kind: 'reject'; readonly with: string }
  /**
   * Translation. `to` yields an address (or address range), `port` a port (or range). `toBoth` yields a concatenation of
   * address and port instead (`dnat ip to ip daddr . tcp dport map @m`). Without any of them: masquerade and redirect keep the port.
   */
  | {
      readonly kind: 'nat'
      readonly op: 'snat' | 'dnat' | 'masquerade' | 'redirect'
      readonly to?: Expression
      readonly port?: Expression
      readonly toBoth?: Expression
      /** DNAT `--to-destination a:1000-1010/2000`: port 2000 maps to 1000, and so on. */
      readonly portBase?: number
      readonly flags: NatFlags
    }
  /** NETMAP and nft's `snat|dnat ip prefix to …`: host bits stay, network bits are replaced. `auto`: by hook (iptables). */
  | { readonly kind: 'netmap'; readonly op: 'snat' | 'dnat' | 'auto'; readonly to: Expression }
  | {
      readonly kind: 'tproxy'
      readonly address?: Expression
      readonly port?: Expression
      readonly mark?: { readonly value: number; readonly mask: number }
    }
  | { readonly kind: 'assign'; readonly target: AssignTarget; readonly value: Expression }
  | { readonly kind: 'notrack' }
  /** xt_CT: a template for the connection about to be tracked. */
  | {
      readonly kind: 'ct-template'
      readonly zone?: number
      readonly zoneFromMark?: boolean
      readonly helper?: string
      readonly text: string
    }
  | { readonly kind: 'log'; readonly prefix: string; readonly group?: number }
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number }
  | { readonly kind: 'trace' }
  /** nft `add @s { … }`, `update`, `delete`. Only connections to come may see it. */
  | {
      readonly kind: 'set-update'
      readonly op: 'add' | 'update' | 'delete'
      readonly set: string
      readonly key: Expression
      /** Of maps: `update @m { ip saddr : tcp dport }`. */
      readonly data?: Expression
      readonly matches: readonly Match[]
    }
  /** xt_SET. */
  | {
      readonly kind: 'ipset-update'
      readonly op: 'add' | 'del' | 'map'
      readonly set: string
      readonly directions: readonly ('src' | 'dst')[]
    }
  | { readonly kind: 'dup'; readonly address?: Expression; readonly device?: Expression }
  /** netdev: the packet leaves by another device at once. */
  | { readonly kind: 'fwd'; readonly device: Expression; readonly address?: Expression }
  | { readonly kind: 'flow-add'; readonly flowtable: string }
  /** `objects`: counter, quota, limit, ct helper, ct timeout, ct expectation, secmark, synproxy. */
  | {
      readonly kind: 'object'
      readonly type: string
      readonly name?: string
      readonly key?: Expression
      readonly map?: MapReference
    }
  | { readonly kind: 'synproxy' }
  /** Known, and without influence on where the packet goes: TCPMSS, CHECKSUM, LED, AUDIT, SECMARK, … */
  | { readonly kind: 'side-effect'; readonly name: string; readonly text: string }
  | { readonly kind: 'unknown-action'; readonly name: string; readonly text: string }

export type Statement = Match | Action
