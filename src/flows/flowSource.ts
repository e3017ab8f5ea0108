// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { FlowsRequest, WishedWay } from '../../cluster/hubble/flowsEvent.ts'
import { printable } from '../../core/text/printable.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import type { Sources } from '../sources/sources.ts'

/** Where flows are to come from. */
export type FlowSource =
  | { readonly kind: 'cluster'; readonly source: LiveSource; readonly way: WishedWay | undefined }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'file' }
  | { readonly kind: 'bundle'; readonly source: FactSource; readonly files: readonly string[] }

interface Choice extends vscode.QuickPickItem {
  readonly choice?: () => Promise<FlowSource | undefined>
}

/** Files of flows in a bundle or sysdump. */
export function flowFiles(source: FactSource): readonly string[] {
  return source.current?.files.list().filter((path) => path.startsWith('flows/')) ?? []
}

/** Asks where flows are to come from; undefined when the person changed their mind. */
export async function pickFlowSource(sources: Sources): Promise<FlowSource | undefined> {
  await sources.load()
  const connected = sources.contexts.filter((source) => source.state === 'connected')
  const idle = sources.contexts.filter((source) => source.state !== 'connected')
  const choices: Choice[] = [
    ...connected.flatMap(clusterChoices),
    ...sources.bundles.flatMap(bundleChoices),
    { label: vscode.l10n.t('elsewhere'), kind: vscode.QuickPickItemKind.Separator },
    {
      label: vscode.l10n.t('$(link) Address…'),
      description: vscode.l10n.t('host:port or unix:///path of a Hubble'),
      choice: askAddress,
    },
    {
      label: vscode.l10n.t('$(folder-opened) Recording…'),
      description: vscode.l10n.t('Hubble’s JSON lines'),
      choice: async () => ({ kind: 'file' }),
    },
    ...idle.map((source) => ({
      label: `$(plug) ${label(source)}`,
      description: vscode.l10n.t('connect first'),
      choice: async () => ({ kind: 'cluster' as const, source, way: undefined }),
    })),
  ]
  const picked = await vscode.window.showQuickPick(choices, {
    title: vscode.l10n.t('Follow Flows: From Where?'),
    placeHolder: vscode.l10n.t('Flows come from Hubble, the observer of Cilium'),
  })
  return picked?.choice?.()
}

function clusterChoices(source: LiveSource): Choice[] {
  const of = (title: string, description: string, way: WishedWay | undefined): Choice => ({
    label: `$(pulse) ${label(source)}: ${title}`,
    description,
    choice: async () => ({ kind: 'cluster', source, way }),
  })
  return [
    of(vscode.l10n.t('Hubble'), vscode.l10n.t('the relay if there is one, else each node'), undefined),
    of(vscode.l10n.t('relay'), vscode.l10n.t('all nodes through Hubble Relay'), { kind: 'relay' }),
    of(vscode.l10n.t('agents'), vscode.l10n.t('each node’s Hubble, through Plumbline’s agent'), { kind: 'nodes' }),
  ]
}

function bundleChoices(source: FactSource): Choice[] {
  const files = flowFiles(source)
  if (files.length === 0) return []
  return [
    {
      label: `$(archive) ${label(source)}`,
      description: vscode.l10n.t('{0} recordings of flows', files.length),
      choice: async () => ({ kind: 'bundle', source, files }),
    },
  ]
}

async function askAddress(): Promise<FlowSource | undefined> {
  const address = await vscode.window.showInputBox({
    title: vscode.l10n.t('Follow Flows: Address of a Hubble'),
    prompt: vscode.l10n.t('As this machine reaches it, for example after a port-forward'),
    placeHolder: 'localhost:4245',
    validateInput: (text) =>
      /^(unix:\/\/\/.+|.+:\d+)$/.test(text.trim()) ? undefined : vscode.l10n.t('host:port or unix:///path'),
  })
  return address === undefined ? undefined : { kind: 'address', address: address.trim() }
}

/** No icon can be made of a cluster's name. */
function label(source: FactSource): string {
  return printable(source.name).replaceAll('$(', '$ (')
}

/** How far back to begin. */
export interface Since {
  readonly label: string
  readonly request: () => FlowsRequest
}

export const SINCE: readonly Since[] = [
  { label: vscode.l10n.t('The last 1000 of each node, and what comes'), request: () => ({ last: 1000, follow: true }) },
  { label: vscode.l10n.t('Only what comes from now on'), request: () => ({ last: 0, follow: true }) },
  ...[1, 5, 15, 60].map((minutes) => ({
    label:
      minutes === 1
        ? vscode.l10n.t('The last minute, and what comes')
        : vscode.l10n.t('The last {0} minutes, and what comes', minutes),
    request: (): FlowsRequest => ({ since: BigInt(Date.now() - minutes * 60_000) * 1_000_000n, follow: true }),
  })),
  { label: vscode.l10n.t('All that Hubble remembers, and what comes'), request: () => ({ since: 0n, follow: true }) },
]

export async function pickSince(): Promise<Since | undefined> {
  const title = vscode.l10n.t('Follow Flows: Since When?')
  return (
    await vscode.window.showQuickPick(
      SINCE.map((since) => ({ label: since.label, since })),
      { title },
    )
  )?.since
}

export function isLive(source: FactSource): source is LiveSource {
  return source instanceof LiveSource
}
