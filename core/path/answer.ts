// SPDX-License-Identifier: Apache-2.0

/**
 * `plumbline.trace/v1`: the answer to "where does this packet go?". The same value is printed by `plumbline trace --json`,
 * shown by the Path Trace panel and compared with a probe. Plain data: it survives JSON unchanged.
 */

export const TRACE_SCHEMA = 'plumbline.trace/v1'

export interface TraceAnswer {
  readonly schema: typeof TRACE_SCHEMA
  readonly question: TraceQuestion
  readonly lanes: readonly Lane[]
  readonly difference: Difference | null
  readonly proof: Proof | null
}

/** The question as it was understood, addresses resolved. */
export interface TraceQuestion {
  /** As asked: "pod:shop/web", "host:node-a", "10.0.0.5". */
  readonly from: string
  /** As asked: "svc:shop/db:5432/TCP", "10.0.0.5:80/TCP", "pod:shop/db:5432/TCP". */
  readonly to: string
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly protocol: string
  readonly ctState: string
  readonly mark: number
}

export interface Endpoint {
  readonly ip: string
  /** Null where the protocol has none, or the kernel would choose it. */
  readonly port: number | null
}

export type LaneName = 'netfilter' | 'ebpf'
export type LaneSource = 'rules' | 'cilium' | 'plumbline' | 'planned'

export interface Lane {
  readonly lane: LaneName
  /** Netfilter lanes are always read from the node's `rules`. */
  readonly source: LaneSource
  /** Of eBPF lanes: what stood for each node's datapath, in the order the packet meets them. */
  readonly nodes?: readonly LaneNode[]
  /** Every way to an end. Probabilities sum to 1 where nothing is unknown. */
  readonly outcomes: readonly Outcome[]
  /** Facts that were missing, each once. */
  readonly unknowns: readonly Unknown[]
}

export interface LaneNode {
  readonly node: string
  /** `rules`: the node has no eBPF datapath, and its rules were followed. */
  readonly source: LaneSource
  /** What one has to know about it: Cilium's agent is not running. */
  readonly note?: string
}

export type Verdict = 'delivered' | 'forwarded' | 'accepted' | 'dropped' | 'rejected' | 'unknown'

export interface Outcome {
  /** Null when an undecided match lies on the way: then it is possible, with a probability nobody can tell. */
  readonly probability: number | null
  readonly verdict: Verdict
  /** As the receiver sees them; for a drop, as they were when it was dropped. */
  readonly source: Endpoint
  readonly destination: Endpoint
  /** Whether the source address was replaced by the node's (MASQUERADE, SNAT, or a datapath's own). */
  readonly masquerade: boolean
  readonly steps: readonly Step[]
  readonly unknowns: readonly Unknown[]
  /** What the reply looks like to the sender, when translation is undone for it. */
  readonly reply?: string
  /** The answer would not be recognised by the sender, because it misses the place that has to undo a translation. */
  readonly replyLost?: true
  /** For drops and rejects: what would have let it through, when that can be said. */
  readonly remedy?: string
}

export interface Unknown {
  /** What could not be decided, for example "match `bpf` in nat/KUBE-X". */
  readonly what: string
  /** Which fact would decide it, and how to get it. */
  readonly missing: string
  readonly evidence: Evidence | null
}

export type ActorKind =
  | 'rule'
  | 'chain-policy'
  | 'chain'
  | 'conntrack'
  | 'route'
  | 'policy-rule'
  | 'neighbour'
  | 'device'
  | 'sysctl'
  | 'socket'
  | 'service'
  | 'endpoint-slice'
  | 'policy'
  | 'map-entry'
  | 'program'
  | 'kernel'
  | 'node'

/** What a step did. `pass` decided nothing; the others changed the packet or ended its way. */
export type Effect =
  | 'pass'
  | 'jump'
  | 'return'
  | 'accept'
  | 'drop'
  | 'reject'
  | 'queue'
  | 'dnat'
  | 'snat'
  | 'masquerade'
  | 'redirect'
  | 'netmap'
  | 'tproxy'
  | 'notrack'
  | 'mark'
  | 'connmark'
  | 'set'
  | 'log'
  | 'mangle'
  | 'track'
  | 'route'
  | 'reroute'
  | 'transmit'
  | 'receive'
  | 'encapsulate'
  | 'decapsulate'
  | 'bypass'
  | 'select-backend'
  | 'allow'
  | 'deny'
  | 'deliver'
  | 'forward'
  | 'unknown'

export interface Step {
  readonly node: string
  /** "host", or the pod as "pod:ns/name", or the inode of a namespace no pod is known for. */
  readonly netns: string
  /**
   * The place, aligned between lanes: "socket", "link", "bridge", "raw/PREROUTING", "conntrack/PREROUTING", "nat/PREROUTING",
   * "filter/FORWARD", "nft inet corp/forward", "route", "neighbour", "tc", "policy-egress", "policy-ingress", …
   */
  readonly hook: string
  readonly actor: { readonly kind: ActorKind; readonly ref: string }
  readonly effect: Effect
  /** "src:port -> dst:port" or the field that changed; null when nothing changed. */
  readonly before: string | null
  readonly after: string | null
  readonly evidence: Evidence | null
  /** One sentence a person reads. */
  readonly text: string
}

/** Where to look it up oneself. `file` paths are those of the bundle (docs/bundle.md), or as given on the command line. */
export type Evidence =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly text: string }
  | {
      readonly kind: 'object'
      readonly apiVersion: string
      readonly object: string
      readonly namespace: string
      readonly name: string
      readonly field: string
    }
  | { readonly kind: 'fact'; readonly file: string; readonly pointer: string; readonly text: string }
  | {
      readonly kind: 'map'
      /** Pinned name. */
      readonly map: string
      readonly key: string
      readonly value: string
      /** The node whose map it is, and the key's bytes in hexadecimal: where the very entry can be found. */
      readonly node?: string
      readonly keyBytes?: string
    }

export type DifferenceKind = 'same' | 'verdict' | 'destination' | 'source' | 'path' | 'undecided'

export interface Difference {
  readonly kind: DifferenceKind
  /** The first place where the lanes part: a step's node and hook. */
  readonly at: { readonly node: string; readonly hook: string } | null
  readonly text: string
  /** Rules the packet meets in the netfilter lane and would not meet in the eBPF lane. */
  readonly bypassedRules: readonly BypassedRule[]
}

export interface BypassedRule {
  readonly node: string
  readonly hook: string
  readonly text: string
  /** "kube-proxy", "kubelet", "cni", "unknown", … */
  readonly owner: string
  readonly evidence: Evidence
}

/** A real packet's fate beside the prediction. */
export interface Proof {
  readonly at: string
  readonly attempts: readonly ProofAttempt[]
  /** "confirmed": every attempt is among the outcomes; "contradicted": at least one is not; "inconclusive": it could not be told. */
  readonly result: 'confirmed' | 'contradicted' | 'inconclusive'
  readonly text: string
}

export interface ProofAttempt {
  readonly result: 'connected' | 'refused' | 'unreachable' | 'timeout' | 'error'
  readonly detail: string
  /** Who really answered, after translation, when conntrack told. */
  readonly destination: Endpoint | null
  readonly source: Endpoint | null
  readonly milliseconds: number
  /** Index into the netfilter (or decisive) lane's outcomes; null: none of them. */
  readonly outcome: number | null
}
