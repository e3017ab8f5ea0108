// SPDX-License-Identifier: Apache-2.0

/**
 * Everything package.json contributes, typed. A test compares the two both ways, so a command, setting, view or context key
 * that is in one and not in the other never ships.
 */

import type { Evidence } from '../core/path/answer.ts'
import type { FindQuestion } from './find/question.ts'
import type { ClusterItem } from './trees/clusterItem.ts'
import type { TraceRecord } from './trace/history.ts'

/** Command to what it is called with: a tree's item when it comes from a menu, nothing when from the palette. */
export interface Commands {
  'plumbline.cluster.connect': [item?: ClusterItem]
  'plumbline.cluster.disconnect': [item?: ClusterItem]
  'plumbline.cluster.refresh': [item?: ClusterItem]
  'plumbline.kubeconfig.select': []
  'plumbline.bundle.open': []
  'plumbline.bundle.close': [item?: ClusterItem]
  'plumbline.bundle.save': [item?: ClusterItem]
  'plumbline.agent.deploy': [item?: ClusterItem]
  'plumbline.agent.remove': [item?: ClusterItem]
  'plumbline.rights.copy': [item?: ClusterItem]
  'plumbline.trace.ask': []
  'plumbline.trace.from': [item?: ClusterItem]
  'plumbline.trace.to': [item?: ClusterItem]
  'plumbline.trace.rerun': [record?: TraceRecord]
  'plumbline.trace.delete': [record?: TraceRecord]
  'plumbline.trace.clear': []
  'plumbline.flows.start': []
  'plumbline.flows.stop': []
  'plumbline.flows.since': []
  'plumbline.flows.record': []
  'plumbline.flows.stopRecording': []
  'plumbline.flows.open': []
  'plumbline.flows.export': []
  'plumbline.flows.clear': []
  'plumbline.flows.show': [item?: ClusterItem]
  'plumbline.map.open': [item?: ClusterItem]
  'plumbline.map.watch': [item?: ClusterItem]
  'plumbline.map.export': [item?: ClusterItem]
  'plumbline.find.address': [what?: ClusterItem | FindQuestion]
  'plumbline.evidence.open': [facts?: string, evidence?: Evidence]
  'plumbline.tree.loadMore': [item?: ClusterItem]
  'plumbline.status.show': []
  'plumbline.logs.show': []
}

export type CommandId = keyof Commands

/** Setting to its type; defaults stand in package.json. */
export interface Settings {
  'plumbline.kubeconfig': readonly string[]
  'plumbline.agent.image': string
  'plumbline.agent.nodeSelector': Readonly<Record<string, string>>
  'plumbline.bundles': readonly string[]
  'plumbline.trace.factsMaxAge': number
  'plumbline.trace.proofConnections': number
  'plumbline.flows.kept': number
  'plumbline.yaml.enabled': boolean
}

export type SettingId = keyof Settings

/** Context keys, for `when` clauses. */
export interface ContextKeys {
  /** There is a cluster or bundle that questions can be asked about. */
  'plumbline.hasFacts': boolean
  /** Looking for kubeconfig files has ended, and found no context. */
  'plumbline.noContexts': boolean
  'plumbline.hasTraces': boolean
  /** Flows are being followed. */
  'plumbline.hasFlows': boolean
}

export type ContextKey = keyof ContextKeys

export const VIEWS = { clusters: 'plumbline.clusters', traces: 'plumbline.traces', flows: 'plumbline.flows' } as const
export const VIEW_CONTAINER = 'plumbline'
/** The one at the bottom. */
export const PANEL_CONTAINER = 'plumblinePanel'
export const TRACE_PANEL = 'plumbline.trace'
export const MAP_PANEL = 'plumbline.map'
export const FIND_PANEL = 'plumbline.find'
export const SAVED_TRACE_EDITOR = 'plumbline.savedTrace'
export const SAVED_TRACE_SUFFIX = '.plumbline-trace.json'
export const WALKTHROUGH = 'plumbline.start'
export const EVIDENCE_SCHEME = 'plumbline-evidence'

/** Lists for the test; the types make them complete. */
export const COMMAND_IDS = Object.keys({
  'plumbline.cluster.connect': 0,
  'plumbline.cluster.disconnect': 0,
  'plumbline.cluster.refresh': 0,
  'plumbline.kubeconfig.select': 0,
  'plumbline.bundle.open': 0,
  'plumbline.bundle.close': 0,
  'plumbline.bundle.save': 0,
  'plumbline.agent.deploy': 0,
  'plumbline.agent.remove': 0,
  'plumbline.rights.copy': 0,
  'plumbline.trace.ask': 0,
  'plumbline.trace.from': 0,
  'plumbline.trace.to': 0,
  'plumbline.trace.rerun': 0,
  'plumbline.trace.delete': 0,
  'plumbline.trace.clear': 0,
  'plumbline.flows.start': 0,
  'plumbline.flows.stop': 0,
  'plumbline.flows.since': 0,
  'plumbline.flows.record': 0,
  'plumbline.flows.stopRecording': 0,
  'plumbline.flows.open': 0,
  'plumbline.flows.export': 0,
  'plumbline.flows.clear': 0,
  'plumbline.flows.show': 0,
  'plumbline.map.open': 0,
  'plumbline.map.watch': 0,
  'plumbline.map.export': 0,
  'plumbline.find.address': 0,
  'plumbline.evidence.open': 0,
  'plumbline.tree.loadMore': 0,
  'plumbline.status.show': 0,
  'plumbline.logs.show': 0,
} satisfies Record<CommandId, 0>)

export const SETTING_IDS = Object.keys({
  'plumbline.kubeconfig': 0,
  'plumbline.agent.image': 0,
  'plumbline.agent.nodeSelector': 0,
  'plumbline.bundles': 0,
  'plumbline.trace.factsMaxAge': 0,
  'plumbline.trace.proofConnections': 0,
  'plumbline.flows.kept': 0,
  'plumbline.yaml.enabled': 0,
} satisfies Record<SettingId, 0>)

export const CONTEXT_KEYS = Object.keys({
  'plumbline.hasFacts': 0,
  'plumbline.noContexts': 0,
  'plumbline.hasTraces': 0,
  'plumbline.hasFlows': 0,
} satisfies Record<ContextKey, 0>)
