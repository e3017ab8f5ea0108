// SPDX-License-Identifier: Apache-2.0

import type { PanelError } from './panel.ts'

/**
 * The Flows panel. The host keeps all flows; the webview asks for the rows in sight, and owns what is selected, folded and
 * scrolled. `state` comes at most once for each `seen`, so a webview that is busy or hidden is never flooded.
 */
export interface FlowsPanelContract {
  readonly hostMethods: {
    /** Rows [from, to) of a view; none when the view is another by now. */
    readonly rows: readonly [{ generation: number; from: number; to: number }, readonly FlowRow[]]
    /** Where a flow is in the view; null when the view hasn't it. */
    readonly locate: readonly [{ seq: number }, { index: number } | null]
    readonly details: readonly [{ seq: number }, FlowDetails | null]
    readonly filter: readonly [{ text: string }, Filtered]
    readonly complete: readonly [{ text: string; at: number }, Completion]
    readonly drops: readonly [Record<string, never>, readonly DropGroup[]]
    readonly serviceMap: readonly [Record<string, never>, MapOfServices]
    readonly rate: readonly [{ buckets: number }, RateSeries]
    readonly run: readonly [{ command: FlowsCommand }, null]
    /** Something about one flow. `said` tells what was done. */
    readonly act: readonly [{ action: FlowAction; seq: number }, { said: string } | null]
    readonly remedy: readonly [{ title: string }, null]
  }
  readonly hostEvents: {
    readonly state: FlowsState
    /** Somebody else set the filter. */
    readonly filterSet: { readonly text: string }
    /** There is nothing to show, and why. */
    readonly broken: PanelError
  }
  readonly webviewEvents: {
    readonly ready: { readonly version: number }
    /** The state of that tick has been painted. */
    readonly seen: { readonly tick: number }
  }
}

export type FlowsCommand =
  | 'start'
  | 'stop'
  | 'pause'
  | 'resume'
  | 'since'
  | 'record'
  | 'stopRecording'
  | 'open'
  | 'export'
  | 'clear'

export type FlowAction = 'trace' | 'policy' | 'copyCommand' | 'copyJson'

/** What a row's cells are, in their order. */
export const FLOW_CELLS = ['time', 'verdict', 'from', 'to', 'port', 'summary', 'reason', 'node', 'direction', 'type'] as const

/** Compact, because many of them cross. */
export interface FlowRow {
  /** Number of the flow in the store. */
  readonly seq: number
  /** As FLOW_CELLS; none, when the flow is not kept any more. */
  readonly cells: readonly string[]
}

export interface FlowsState {
  readonly tick: number
  /** Another one: another filter or other flows; rows of before mean nothing. */
  readonly generation: number
  /** Rows of the view: [first, first + count). */
  readonly first: number
  readonly count: number
  /** The newest rows of the view, up to its end: they need not be asked for. */
  readonly tail: readonly FlowRow[]
  /** The filter is still being applied to older flows. */
  readonly scanning: boolean
  readonly filter: string
  /** Flows that came while paused. */
  readonly behind: number
  readonly kept: number
  readonly capacity: number
  /** Flows that came in all, and those of them that are not kept any more. */
  readonly came: number
  readonly notKept: number
  /** Flows a second, over the last seconds. */
  readonly rate: number
  readonly lost: Lost
  readonly nodes: readonly NodeState[]
  readonly following: Following | null
  readonly paused: boolean
  readonly recording: { readonly name: string; readonly written: number } | null
  /** What was opened, when it is a recording: "incident.jsonl". */
  readonly opened: string | null
  /** Name of the cluster flows would come from; null: none is connected. */
  readonly cluster: string | null
  /** What stands in the way, and what can be done. */
  readonly problem: PanelError | null
}

export interface Lost {
  readonly total: number
  /** Some were lost of which nobody knows how many. */
  readonly atLeast: boolean
  /** More were lost in the last seconds. */
  readonly now: boolean
  readonly by: readonly { readonly node: string; readonly source: string; readonly count: number }[]
}

export interface NodeState {
  readonly name: string
  readonly state: 'connected' | 'unavailable' | 'lost' | 'failed' | 'absent'
  readonly reason: string
}

export interface Following {
  /** "relay `hubble-relay` in `kube-system`" */
  readonly from: string
  /** Servers whose stream is broken, and tried again. */
  readonly interrupted: readonly { readonly server: string; readonly reason: string }[]
}

export type Filtered =
  | { readonly ok: true }
  /** `at` counts characters from 0. */
  | { readonly ok: false; readonly at: number; readonly reason: string }

export interface Completion {
  /** The part of the text that a choice replaces. */
  readonly from: number
  readonly to: number
  readonly choices: readonly { readonly text: string; readonly note: string }[]
}

export interface DropGroup {
  /** "POLICY_DENIED" */
  readonly reason: string
  readonly count: number
  readonly rules: readonly DropRule[]
}

export interface DropRule {
  /** The policy or what else decided, in words. */
  readonly title: string
  readonly detail: string
  readonly count: number
  /** A flow of it. */
  readonly seq: number
  readonly from: string
  readonly to: string
  /** Shows these flows alone. */
  readonly filter: string
  readonly hasPolicy: boolean
}

export interface MapOfServices {
  readonly nodes: readonly MapNode[]
  readonly edges: readonly MapEdge[]
  /** Ends that are left out, because there are too many to be seen. */
  readonly left: number
}

export interface MapNode {
  readonly id: string
  readonly name: string
  /** Empty for what is outside of the cluster. */
  readonly namespace: string
  readonly kind: 'workload' | 'outside' | 'node'
  readonly filter: string
}

export interface MapEdge {
  readonly from: string
  readonly to: string
  readonly forwarded: number
  readonly dropped: number
  /** "5432/TCP", the most used first. */
  readonly ports: readonly string[]
  readonly filter: string
}

export interface RateSeries {
  /** Seconds since 1970 at which each bucket begins. */
  readonly times: readonly number[]
  readonly forwarded: readonly number[]
  readonly dropped: readonly number[]
  /** Length of a bucket, seconds. */
  readonly step: number
}

export interface FlowDetails {
  readonly seq: number
  /** Hubble's own id of the flow; tells flows of different streams apart. */
  readonly uuid: string
  readonly title: string
  readonly verdict: string
  /** Why it was dropped, when it is known. */
  readonly attribution: { readonly text: string; readonly remedy: string | null } | null
  readonly policies: readonly { readonly title: string; readonly effect: 'allowed' | 'denied'; readonly direction: string }[]
  readonly ends: readonly FlowEnd[]
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Filters that the flow's own values give: what they are about, the column that shows it, and their text. */
  readonly filters: readonly FilterPart[]
  readonly canTrace: boolean
  readonly hasPolicy: boolean
}

export interface FilterPart {
  readonly about: string
  readonly column: (typeof FLOW_CELLS)[number]
  readonly text: string
}

export interface FlowEnd {
  readonly role: 'from' | 'to'
  readonly name: string
  readonly address: string
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly labels: readonly string[]
}
