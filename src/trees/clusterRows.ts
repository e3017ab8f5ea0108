// SPDX-License-Identifier: Apache-2.0

/** How each item of the Clusters view looks. */

import * as vscode from 'vscode'
import { messageOf } from '../../cluster/errors.ts'
import type { PodObject, ServiceObject } from '../../core/facts/objects.ts'
import { formatAddress } from '../../core/net/address.ts'
import { nodeOverview, proxyName } from '../../core/overview/nodeOverview.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { LiveSource } from '../sources/liveSource.ts'
import type { BundleSource } from '../sources/bundleSource.ts'
import { commandOf } from '../typed.ts'
import { evidenceUri } from '../evidence/uri.ts'
import { type ClusterItem, type FolderKind, itemId } from './clusterItem.ts'
import { hookPlaceRow, hookPointRow, programRow } from './hookRows.ts'
import { mapGroupRow, mapRow } from './mapRows.ts'
import { markdown, row } from './row.ts'

const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState

type Item<K extends ClusterItem['kind']> = Extract<ClusterItem, { kind: K }>

export function clusterRow(item: ClusterItem): vscode.TreeItem {
  const row = rowOf(item)
  row.id = itemId(item)
  const spoken = [row.label, row.description].filter((part) => typeof part === 'string' && part !== '').join(', ')
  row.accessibilityInformation = { label: spoken }
  return row
}

function rowOf(item: ClusterItem): vscode.TreeItem {
  switch (item.kind) {
    case 'source':
      return item.source instanceof LiveSource ? contextRow(item.source) : bundleRow(item.source as BundleSource)
    case 'folder':
      return folderRow(item)
    case 'node':
      return nodeRow(item)
    case 'namespace':
      return row(item.name, 'symbol-namespace', Collapsed, 'plumbline.namespace')
    case 'pod':
      return podRow(item)
    case 'service':
      return serviceRow(item)
    case 'fact':
      return factRow(item)
    case 'hookPlace':
      return hookPlaceRow(item)
    case 'hookPoint':
      return hookPointRow(item)
    case 'program':
      return programRow(item)
    case 'mapGroup':
      return mapGroupRow(item)
    case 'map':
      return mapRow(item)
    case 'more':
      return moreRow(item)
    case 'note':
      return noteRow(item)
  }
}

function contextRow(source: LiveSource): vscode.TreeItem {
  const connected = source.state === 'connected'
  const made = row(
    source.name,
    source.state === 'connecting' ? 'loading~spin' : 'globe',
    connected ? Expanded : None,
    `plumbline.context+${source.state}`,
  )
  made.description = contextDescription(source)
  made.tooltip = markdown([
    ['Context', source.name],
    ['Server', source.context.server],
    ['User', source.context.user],
    ['File', source.context.file],
    ['Kubernetes', source.session?.version.gitVersion],
    ['Problem', source.failure && messageOf(source.failure)],
  ])
  if (source.failure !== undefined)
    made.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
  if (source.state === 'idle')
    made.command = commandOf('plumbline.cluster.connect', vscode.l10n.t('Connect'), { kind: 'source', source })
  return made
}

function contextDescription(source: LiveSource): string {
  if (source.failure !== undefined) return printable(messageOf(source.failure))
  if (source.state === 'connecting') return vscode.l10n.t('connecting…')
  const nodes = source.current?.cluster.objects.nodes.size
  if (nodes === undefined)
    return source.context.current ? vscode.l10n.t('current context · not connected') : vscode.l10n.t('not connected')
  const ready = source.agents.filter((agent) => agent.ready).length
  return vscode.l10n.t('{0} nodes · agent on {1}', nodes, ready)
}

function bundleRow(source: BundleSource): vscode.TreeItem {
  const { current, failure } = source
  const icon = current === undefined && failure === undefined ? 'loading~spin' : 'archive'
  const made = row(source.name, icon, current === undefined ? None : Collapsed, 'plumbline.bundle')
  made.description = bundleDescription(source)
  if (failure !== undefined) made.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
  made.tooltip = markdown([
    ['Bundle', source.uri.toString(true)],
    ['Captured', current?.capturedAt ?? undefined],
    ['Problem', failure && messageOf(failure)],
  ])
  return made
}

/** Short enough for a side bar; the tooltip has it whole. */
const SHORT_TIME: Intl.DateTimeFormatOptions = {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
}

function bundleDescription({ current, failure }: BundleSource): string {
  if (failure !== undefined) return printable(messageOf(failure))
  if (current === undefined) return vscode.l10n.t('reading…')
  const taken = current.capturedAt === null ? [] : [new Date(current.capturedAt).toLocaleString(undefined, SHORT_TIME)]
  return [vscode.l10n.t('{0} nodes', current.cluster.nodes.size), ...taken].join(' · ')
}

const FOLDERS: Readonly<Record<FolderKind, readonly [string, string]>> = {
  nodes: ['Nodes', 'server-environment'],
  namespaces: ['Namespaces', 'symbol-namespace'],
  interfaces: ['Interfaces and Hooks', 'plug'],
  rules: ['Rules', 'list-ordered'],
  maps: ['Maps', 'database'],
  pods: ['Pods', 'package'],
  services: ['Services', 'symbol-interface'],
}

function folderRow({ folder, source, of, description }: Item<'folder'>): vscode.TreeItem {
  const [title, icon] = FOLDERS[folder]
  const made = row(vscode.l10n.t(title), icon, Collapsed, `plumbline.folder+${folder}`)
  if (description !== undefined) made.description = printable(description)
  const objects = source.current?.cluster.objects
  if (folder === 'nodes') made.description = String(objects?.nodes.size ?? 0)
  if (folder === 'namespaces') made.description = String(objects?.namespaces.size ?? 0)
  if (of !== undefined && folder === 'pods') made.description = String(count(objects?.pods.values(), of))
  if (of !== undefined && folder === 'services') made.description = String(count(objects?.services.values(), of))
  return made
}

function count(things: Iterable<{ readonly meta: { readonly namespace: string } }> | undefined, namespace: string): number {
  let found = 0
  for (const thing of things ?? []) if (thing.meta.namespace === namespace) found += 1
  return found
}

function nodeRow({ source, name }: Item<'node'>): vscode.TreeItem {
  const agent = source instanceof LiveSource ? source.agents.find((pod) => pod.node === name) : undefined
  const snapshot = source.current?.cluster.nodes.get(name)
  const flags = [...(agent?.ready ? ['hasAgent'] : []), ...(source.kind === 'context' ? ['live'] : [])]
  const made = row(name, 'server', Collapsed, ['plumbline.node', ...flags].join('+'))
  const node = source.current?.cluster.objects.nodes.get(name)
  const overview = snapshot && nodeOverview(snapshot)
  made.description = [
    ...(overview?.proxies.map(proxyName) ?? []),
    ...(snapshot?.kernelRelease ? [snapshot.kernelRelease] : []),
    ...(source.kind === 'context' ? [agentState(agent)] : []),
    ...(overview?.ciliumUnattended ? [vscode.l10n.t("⚠ Cilium's agent is not running; its datapath still forwards")] : []),
    ...(snapshot && snapshot.problems.length > 0 ? [vscode.l10n.t('{0} incomplete', snapshot.problems.length)] : []),
  ].join(' · ')
  made.tooltip = markdown([
    ['Node', name],
    ['Services by', overview?.proxies.map(proxyName).join(', ')],
    ['Addresses', node?.internalIPs.map(formatAddress).join(', ')],
    ['Kernel', snapshot?.kernelRelease],
    ['Snapshot', snapshot?.capturedAt],
    ['Agent', agent && (agent.ready ? agent.pod : agent.reason)],
  ])
  return made
}

function agentState(agent: { readonly ready: boolean } | undefined): string {
  if (agent === undefined) return vscode.l10n.t('no agent')
  return agent.ready ? vscode.l10n.t('agent ✓') : vscode.l10n.t('agent not ready')
}

function podRow({ source, namespace, name }: Item<'pod'>): vscode.TreeItem {
  const pod: PodObject | undefined = source.current?.cluster.objects.pods.get(`${namespace}/${name}`)
  const running = pod?.phase === 'Running'
  const made = row(name, running && pod.ready ? 'package' : 'circle-outline', None, 'plumbline.pod')
  made.description = [pod?.podIPs.map(formatAddress)[0] ?? pod?.phase ?? '', pod?.nodeName ?? '']
    .filter((part) => part !== '')
    .join(' · ')
  made.tooltip = markdown([
    ['Pod', `${namespace}/${name}`],
    ['Phase', pod?.phase],
    ['Addresses', pod?.podIPs.map(formatAddress).join(', ')],
    ['Node', pod?.nodeName],
    ['Network', pod?.hostNetwork ? "the node's own" : undefined],
  ])
  return made
}

function serviceRow({ source, namespace, name }: Item<'service'>): vscode.TreeItem {
  const service: ServiceObject | undefined = source.current?.cluster.objects.services.get(`${namespace}/${name}`)
  const made = row(name, 'symbol-interface', None, 'plumbline.service')
  const ports = service?.ports.map((port) => `${port.port}/${port.protocol}`).join(', ')
  const address = service?.headless ? vscode.l10n.t('headless') : (service?.clusterIPs.map(formatAddress)[0] ?? '')
  made.description = [address, ports ?? ''].filter((part) => part !== '').join(' · ')
  made.tooltip = markdown([
    ['Service', `${namespace}/${name}`],
    ['Type', service?.type],
    ['Addresses', service?.clusterIPs.map(formatAddress).join(', ')],
    ['Ports', ports],
    ['Traffic policy', service && `internal ${service.internalTrafficPolicy}, external ${service.externalTrafficPolicy}`],
  ])
  return made
}

function factRow({ source, row: fact }: Item<'fact'>): vscode.TreeItem {
  const made = row(fact.label, fact.icon, None, fact.warning ? 'plumbline.fact+warning' : 'plumbline.fact')
  made.description = printable(fact.description)
  if (fact.tooltip !== '') made.tooltip = printableLines(fact.tooltip)
  if (fact.warning) made.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
  if (fact.evidence !== undefined) {
    const at = new vscode.Position(fact.evidence.line - 1, 0)
    const options: vscode.TextDocumentShowOptions = { preview: true, selection: new vscode.Range(at, at) }
    made.command = {
      command: 'vscode.open',
      title: vscode.l10n.t('Open'),
      arguments: [evidenceUri(source.id, fact.evidence.file), options],
    }
  }
  return made
}

function moreRow(item: Item<'more'>): vscode.TreeItem {
  const made = row(vscode.l10n.t('Load more…'), 'ellipsis', None, 'plumbline.more')
  made.description = vscode.l10n.t('{0} of {1} shown', item.shown, item.of)
  made.command = commandOf('plumbline.tree.loadMore', vscode.l10n.t('Load more'), item)
  return made
}

function noteRow(item: Item<'note'>): vscode.TreeItem {
  const { kind, text, detail } = item.note
  const made = row(text, kind === 'failure' || kind === 'rights' ? 'warning' : 'info', None, `plumbline.note+${kind}`)
  made.description = printable(detail)
  made.tooltip = printable(`${text}\n${detail}`)
  if (kind === 'agent') made.command = commandOf('plumbline.agent.deploy', vscode.l10n.t('Deploy Agent…'), item)
  if (kind === 'rights') made.command = commandOf('plumbline.rights.copy', vscode.l10n.t('Copy RBAC Snippet'), item)
  return made
}
