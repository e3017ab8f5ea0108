// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { PlumblineError } from '../../cluster/errors.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { attributeDrop } from '../../core/flows/attribution/attribution.ts'
import type { Flow, FlowEvent, Policy } from '../../core/flows/flow.ts'
import { hubbleCommand } from '../../core/flows/filter/hubbleCommand.ts'
import { EVERYTHING } from '../../core/flows/filter/filter.ts'
import { hubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { questionOfFlow } from '../../core/flows/question.ts'
import type { Evidence } from '../../core/path/answer.ts'
import type { FlowAction } from '../../protocol/flowsPanel.ts'
import { RemediableError } from '../failures.ts'
import type { FactSource } from '../sources/factSource.ts'
import { runCommand } from '../typed.ts'
import { policyOf } from './flowDetails.ts'
import type { FlowsParts } from './flows.ts'

export interface ActionParts extends Pick<FlowsParts, 'traces'> {
  /** Facts of the cluster the flow was seen in. */
  readonly source: FactSource | undefined
}

type Said = { readonly said: string } | null

/** Does something about one flow. */
export async function actOn(event: Extract<FlowEvent, { kind: 'flow' }>, action: FlowAction, parts: ActionParts): Promise<Said> {
  switch (action) {
    case 'trace':
      await traceFlow(event.flow, parts)
      return null
    case 'policy':
      await showPolicy(event.flow, parts)
      return null
    case 'copyCommand':
      return copy(hubbleCommand({ ...EVERYTHING, allow: [filterOf(event.flow)], follow: true }))
    case 'copyJson':
      await vscode.env.clipboard.writeText(hubbleLine(event))
      return { said: vscode.l10n.t('The flow is on the clipboard, as hubble observe -o json writes it.') }
  }
}

async function copy(text: string): Promise<Said> {
  await vscode.env.clipboard.writeText(text)
  return { said: vscode.l10n.t('Copied: {0}', text) }
}

async function traceFlow(flow: Flow, { source, traces }: ActionParts): Promise<void> {
  const known = sourceOf(source)
  const { cluster } = known.current ?? (await known.facts())
  const question = questionOfFlow(cluster.objects, flow)
  if (question === undefined)
    throw new PlumblineError('not-found', vscode.l10n.t('This flow has no addresses or ports to ask about.'))
  // Not waited for: the panel appears at once, and says itself what becomes of it.
  void traces.open(known, { from: question.from, to: question.to })
}

async function showPolicy(flow: Flow, { source, traces }: ActionParts): Promise<void> {
  const known = sourceOf(source)
  const facts = known.current ?? (await known.facts())
  const evidence = policyEvidence(flow, facts.cluster)
  if (evidence === undefined)
    throw new PlumblineError('not-found', vscode.l10n.t('No policy is known to have decided on this flow.'))
  await traces.evidence.open(known.id, evidence)
}

/** The policy that Hubble names; of a drop for which it names none, the one the cluster's objects tell. */
function policyEvidence(flow: Flow, facts: ClusterFacts): Evidence | undefined {
  const attributed = attributeDrop(facts, flow)?.policies.find(({ evidence }) => evidence !== null)?.evidence
  const named = policyOf(flow)
  return attributed ?? (named === undefined ? undefined : evidenceOf(named))
}

function evidenceOf({ kind, namespace, name }: Policy): Evidence {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2'
  return { kind: 'object', apiVersion, object: kind, namespace, name, field: 'spec' }
}

function sourceOf(source: FactSource | undefined): FactSource {
  if (source !== undefined) return source
  throw new RemediableError(vscode.l10n.t('Connect to the cluster or open the bundle these flows are of first.'), [
    { title: vscode.l10n.t('Connect…'), run: () => runCommand('plumbline.cluster.connect') },
    { title: vscode.l10n.t('Open Bundle…'), run: () => runCommand('plumbline.bundle.open') },
  ])
}

/** Flows between the same two ends, at the same port. */
function filterOf(flow: Flow) {
  const { source, destination, ip, l4 } = flow
  const ports = l4?.tcp ?? l4?.udp ?? l4?.sctp
  return {
    ...(source !== null && source.podName !== ''
      ? { sourcePod: [`${source.namespace}/${source.podName}`] }
      : ip && { sourceIp: [ip.source] }),
    ...(destination !== null && destination.podName !== ''
      ? { destinationPod: [`${destination.namespace}/${destination.podName}`] }
      : ip && { destinationIp: [ip.destination] }),
    ...(ports && { destinationPort: [String(ports.destinationPort)] }),
  }
}
