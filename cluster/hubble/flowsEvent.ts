// SPDX-License-Identifier: Apache-2.0

/** What is asked of a Hubble, and what the stream of its flows tells. */

import type { JsonValue } from '@bufbuild/protobuf'
import type { PlumblineError } from '../errors.ts'

/** As in observer.GetFlowsRequest. `first` excludes `follow`. */
export interface FlowsRequest {
  /** Only the oldest N of each node. */
  readonly first?: number | undefined
  /** Only the newest N, of each node when several are asked. */
  readonly last?: number | undefined
  /** Nanoseconds since 1970, both ends included. */
  readonly since?: bigint | undefined
  readonly until?: bigint | undefined
  /** Goes on with new flows until it is aborted. */
  readonly follow?: boolean | undefined
  /** flow.FlowFilter as protobuf's JSON (either spelling of names): a flow passes when one matches, or when there is none. */
  readonly whitelist?: readonly JsonValue[] | undefined
  /** A flow that one of these matches doesn't pass. */
  readonly blacklist?: readonly JsonValue[] | undefined
}

/** Where flows come from. */
export type Way =
  | { readonly kind: 'relay'; readonly namespace: string; readonly service: string }
  | { readonly kind: 'nodes'; readonly nodes: readonly string[] }
  | { readonly kind: 'address'; readonly address: string }

/** Flows that will never come. */
export interface Loss {
  /**
   * Who lost them: Hubble, as flow.LostEventSource names the place ("PERF_EVENT_RING_BUFFER", "OBSERVER_EVENTS_QUEUE",
   * "HUBBLE_RING_BUFFER", or a number it has no name for); or "CONNECTION": Hubble or the way to it was interrupted, and
   * its memory does not reach back.
   */
  readonly source: string
  /** Undefined: not known which. */
  readonly node: string | undefined
  readonly cpu: number | undefined
  /** Undefined: nobody knows how many. */
  readonly count: bigint | undefined
  /** Between these, in nanoseconds since 1970, as far as it is known. */
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

/** Of a node, whether its flows come. */
export interface NodeFlowState {
  readonly node: string
  /** `absent`: it runs no Hubble; `failed`: it answered with an error; `lost`: it was connected before. */
  readonly state: 'connected' | 'unavailable' | 'lost' | 'failed' | 'absent'
  /** Why; may be empty. */
  readonly reason: string
}

/** In the order in which Hubble said it. */
export type FlowsEvent =
  /** Whole observer.GetFlowsResponse messages with a flow in each, as they were sent. */
  | { readonly kind: 'flows'; readonly responses: readonly Uint8Array[] }
  /** With the message that said so, if it was Hubble who did. */
  | { readonly kind: 'lost'; readonly loss: Loss; readonly response?: Uint8Array | undefined }
  | { readonly kind: 'nodes'; readonly nodes: readonly NodeFlowState[]; readonly response?: Uint8Array | undefined }
  /** The stream of a server ("the relay", or a node) broke; it is tried again after a while. */
  | { readonly kind: 'interrupted'; readonly server: string; readonly error: PlumblineError; readonly retryInMs: number }
  | { readonly kind: 'resumed'; readonly server: string }

/** observer.ServerStatusResponse: of a relay, or summed up over nodes. */
export interface HubbleStatus {
  readonly version: string
  readonly flows: bigint
  readonly maxFlows: bigint
  readonly seenFlows: bigint
  readonly flowsPerSecond: number
  readonly uptimeNs: bigint
  readonly connectedNodes: number | undefined
  readonly unavailableNodes: readonly string[]
}

/**
 * A running question. Iterating asks it, reads as fast as the loop takes, and survives interruptions when it follows; leaving the
 * loop ends it. Throws PlumblineError: "hubble-absent" when there is none, else what stood in the way.
 */
export interface FlowStream extends AsyncIterable<FlowsEvent> {
  readonly way: Way
  /** The way in words: "relay `hubble-relay` in `kube-system`". */
  readonly description: string
  status(signal?: AbortSignal): Promise<HubbleStatus>
  close(): void
}

/** As the hubble client has them; files are PEM. */
export interface HubbleTls {
  /** Undefined: found out, for a relay; plain for an address. */
  readonly enabled?: boolean | undefined
  readonly allowInsecure?: boolean | undefined
  readonly caCertFiles?: readonly string[] | undefined
  readonly clientCertFile?: string | undefined
  readonly clientKeyFile?: string | undefined
  readonly serverName?: string | undefined
}

export interface FlowsOptions {
  readonly request: FlowsRequest
  /** Undefined: a relay if the cluster has one, else the agents on its nodes. */
  readonly way?: WishedWay | undefined
  readonly tls?: HubbleTls | undefined
  readonly signal?: AbortSignal | undefined
}

export type WishedWay =
  /** Searched in all namespaces unless it is named. */
  | { readonly kind: 'relay'; readonly namespace?: string | undefined; readonly service?: string | undefined }
  /** By Plumbline's agents; all nodes when none is named. */
  | { readonly kind: 'nodes'; readonly nodes?: readonly string[] | undefined }
  /** "host:port" or "unix:///path", reached from this machine. */
  | { readonly kind: 'address'; readonly address: string }
