// SPDX-License-Identifier: Apache-2.0

/**
 * The files of one node's snapshot, as the agent writes them and a bundle keeps them (docs/bundle.md).
 * Shapes follow the kernel's netlink attributes; names follow iproute2 where both have one.
 */

/** nodes/<node>/node.json */
export interface NodeFile {
  readonly schema: 'plumbline.node/v1'
  readonly node: string
  readonly agentVersion: string
  /** RFC 3339, when the snapshot began. */
  readonly capturedAt: string
  readonly kernelRelease: string
  readonly architecture: string
  readonly bootId: string
  readonly osRelease?: Readonly<Record<string, string>>
  readonly capabilities: readonly CapabilityFact[]
  /** `iptables`, `nft`, `ipset` … to their version line. */
  readonly tools: Readonly<Record<string, string>>
  /** CONFIG_ options the agent found and that matter, to "y", "m" or "n". */
  readonly kernelConfig?: Readonly<Record<string, string>>
  readonly problems: readonly ProblemFact[]
}

export interface CapabilityFact {
  readonly name: string
  readonly available: boolean
  readonly reason: string
}

/** A part that is missing or incomplete. `path` is relative to the node's folder. */
export interface ProblemFact {
  readonly path: string
  readonly reason: string
}

/** nodes/<node>/pods.json */
export interface PodsFile {
  readonly pods: readonly PodFact[]
}

export interface PodFact {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** `host` for host-network pods, else the folder name under netns/. Absent: no running process was found. */
  readonly netns?: string
  /** Container cgroup paths below the cgroup root. */
  readonly cgroups: readonly string[]
}

/** netns/<id>/netns.json */
export interface NetnsFile {
  readonly inode: string
  /** Kernel's net cookie, when it could be read. */
  readonly cookie?: string
  readonly pods: readonly { readonly namespace: string; readonly name: string }[]
}

/** netns/<id>/links.json: an array, in ifindex order. */
export interface LinkFact {
  readonly ifindex: number
  readonly ifname: string
  /** Lower-case IFF_ names, for example "up", "loopback", "lower_up". */
  readonly flags: readonly string[]
  readonly mtu: number
  readonly operstate: string
  /** rtnl_link kind: "veth", "bridge", "vxlan", "vlan", "ipip", "dummy", …; empty for physical ones and loopback. */
  readonly kind: string
  readonly address?: string
  /** ifindex of the bridge or bond this is a port of. */
  readonly master?: number
  /** Peer's ifindex of a veth (IFLA_LINK). */
  readonly peerIfindex?: number
  /** Folder name under netns/ of the peer, when the agent could tell. */
  readonly peerNetns?: string
  /** Altnames, if any. */
  readonly altnames?: readonly string[]
  readonly vxlan?: {
    readonly id: number
    readonly port: number
    readonly local?: string
    readonly group?: string
    readonly learning: boolean
    readonly external: boolean
  }
  readonly bridge?: { readonly vlanFiltering: boolean; readonly nfCallIptables: boolean; readonly nfCallIp6tables: boolean }
  /** Of a bridge port. */
  readonly port?: { readonly hairpin: boolean; readonly isolated: boolean; readonly state: number }
  /** Forwarding entries of a bridge port or VXLAN device. */
  readonly fdb?: readonly { readonly lladdr: string; readonly dst?: string; readonly vlan?: number }[]
}

/** netns/<id>/addresses.json: an array. */
export interface AddressFact {
  readonly ifindex: number
  readonly family: 4 | 6
  /** With prefix length, for example "10.244.0.1/24". */
  readonly address: string
  readonly peer?: string
  /** "global", "link", "host", "site". */
  readonly scope: string
  /** IFA_F_ names in lower case: "secondary", "deprecated", "tentative", … */
  readonly flags: readonly string[]
}

/** netns/<id>/routes.json: an array, every table, both families. */
export interface RouteFact {
  readonly family: 4 | 6
  readonly table: number
  /** "default" is written as "0.0.0.0/0" or "::/0". */
  readonly dst: string
  /** Source prefix of source-specific routes. */
  readonly src?: string
  /** "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw". */
  readonly type: string
  readonly scope: string
  readonly protocol: string
  readonly metric: number
  readonly tos?: number
  readonly prefsrc?: string
  readonly mtu?: number
  /** One for simple routes, several for multipath. Empty for blackhole and its like. */
  readonly nexthops: readonly {
    readonly ifindex?: number
    readonly via?: string
    readonly weight: number
    /** "onlink", "dead", "linkdown", … */
    readonly flags: readonly string[]
  }[]
}

/** netns/<id>/rules.json: policy routing rules of both families. */
export interface RuleFact {
  readonly family: 4 | 6
  readonly priority: number
  readonly not: boolean
  readonly src?: string
  readonly dst?: string
  readonly iif?: string
  readonly oif?: string
  readonly fwmark?: number
  readonly fwmask?: number
  readonly tos?: number
  readonly ipProtocol?: number
  readonly sportRange?: readonly [number, number]
  readonly dportRange?: readonly [number, number]
  readonly uidRange?: readonly [number, number]
  readonly suppressPrefixLength?: number
  readonly l3mdev?: boolean
  /** "lookup", "goto", "blackhole", "unreachable", "prohibit", "nop". */
  readonly action: string
  readonly table?: number
  readonly gotoPriority?: number
}

/** netns/<id>/neighbours.json */
export interface NeighbourFact {
  readonly ifindex: number
  readonly family: 4 | 6
  readonly address: string
  readonly lladdr?: string
  /** NUD_ names in lower case: "reachable", "stale", "permanent", "failed", … */
  readonly state: string
}

/** netns/<id>/conntrack.json */
export interface ConntrackFile {
  readonly count: number
  readonly max: number
  /** Entries left out because of `max_entries`. */
  readonly omitted: number
  readonly entries: readonly ConntrackFact[]
}

export interface ConntrackFact {
  readonly protocol: number
  readonly original: TupleFact
  readonly reply: TupleFact
  /** IPS_* bits. */
  readonly status: number
  readonly mark: number
  readonly zone: number
  readonly tcpState?: string
  /** Seconds to live. */
  readonly timeout: number
}

export interface TupleFact {
  readonly src: string
  readonly dst: string
  readonly sport?: number
  readonly dport?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  readonly icmpId?: number
}

/** bpf/programs.json: an array. */
export interface BpfProgramFact {
  readonly id: number
  readonly type: string
  readonly name: string
  readonly tag: string
  readonly mapIds: readonly number[]
  readonly loadedAt?: string
  readonly runNanoseconds?: string
  readonly runCount?: string
  /** True when the agent loaded it itself. */
  readonly own: boolean
}

/** bpf/maps.json: an array. */
export interface BpfMapFact {
  readonly id: number
  readonly type: string
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly memoryBytes?: string
  readonly btfId?: number
}

/** bpf/links.json: an array: what is attached where, in order of execution where the kernel says so. */
export interface BpfLinkFact {
  /** 0 for attachments that are not links (classic tc filters, XDP by netlink). */
  readonly id: number
  readonly programId: number
  /** "tcx_ingress", "tcx_egress", "tc_ingress", "tc_egress", "xdp", "cgroup_connect4", "tp_btf", … */
  readonly attach: string
  readonly netns?: string
  readonly ifindex?: number
  readonly cgroup?: string
  readonly target?: string
  readonly position?: number
}

/** bpf/pins.json: an array. */
export interface BpfPinFact {
  readonly path: string
  readonly kind: 'program' | 'map' | 'link'
  readonly id: number
}

/** bpf/maps/index.json: an array: the maps whose contents the snapshot holds. */
export interface BpfMapDumpFact {
  /** Pinned name, whole. */
  readonly name: string
  /** Relative to the node's folder: key|value|key|value…, as the kernel has them. */
  readonly file: string
  readonly path: string
  readonly id: number
  readonly type: string
  readonly keySize: number
  readonly valueSize: number
  /** Possible CPUs for per-CPU maps, whose values are each rounded up to 8 bytes; else 1. */
  readonly valuesPerEntry: number
  readonly maxEntries: number
  readonly flags: number
  readonly count: number
  /** True when the map had more entries. */
  readonly truncated: boolean
  /** Why entries may be missing or repeated. */
  readonly incomplete?: string
}

/** bpf/cilium.json */
export interface CiliumFile {
  /** Whether Cilium's agent runs on the node. */
  readonly running: boolean
  /** Where the configuration it last ran with was read; absent when there is none. */
  readonly configFile?: string
  /** Options of pkg/option's DaemonConfig that say what the datapath does, by their own names. */
  readonly config?: Readonly<Record<string, unknown>>
}
