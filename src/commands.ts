// SPDX-License-Identifier: Apache-2.0

/** What each command does. The table's type makes a missing one a compile error. */

import * as vscode from 'vscode'
import { PlumblineError } from '../cluster/errors.ts'
import { deployAgent, removeAgent } from './agent/agentCommands.ts'
import type { CommandId, Commands } from './contributions.ts'
import type { App } from './app.ts'
import { copyRbac } from './failures.ts'
import { askFind } from './find/findCommand.ts'
import { exportMap, openMapOf, watchMapOf } from './maps/mapCommands.ts'
import { askable, pickSource } from './pickSource.ts'
import type { FactSource } from './sources/factSource.ts'
import { LiveSource } from './sources/liveSource.ts'
import type { AskedTrace } from './trace/question.ts'
import { pickQuestion } from './trace/questionPicker.ts'
import { abortOn } from './trace/traces.ts'
import type { ClusterItem } from './trees/clusterItem.ts'
import { readSetting, runCommand, writeSetting } from './typed.ts'

type Handlers = { readonly [K in CommandId]: (...args: Commands[K]) => unknown }

const LAST_KEY = 'lastQuestion'

/** Registers every command, each wrapped once: a failure is logged and shown with what to do about it. */
export function registerCommands(app: App): vscode.Disposable {
  const registered = Object.entries(handlers(app)).map(([id, handler]) =>
    vscode.commands.registerCommand(id, async (...args: unknown[]) => {
      try {
        return await (handler as (...args: unknown[]) => unknown)(...args)
      } catch (error) {
        app.failures.report(id, error)
        return undefined
      }
    }),
  )
  return vscode.Disposable.from(...registered)
}

function handlers(app: App): Handlers {
  const { sources, traces, history, prompts, log, flows } = app
  const parts = { extensionUri: app.extensionUri, prompts, log }
  return {
    'plumbline.cluster.connect': async (item) => {
      const source = await pickLive(app, item, (each) => each.state === 'idle')
      if (source !== undefined) await connect(source)
    },
    'plumbline.cluster.disconnect': async (item) => {
      const source = await pickLive(app, item, (each) => each.state === 'connected')
      source?.disconnect()
    },
    'plumbline.cluster.refresh': async (item) => {
      if (item === undefined) await sources.reload()
      const live = item === undefined ? app.connected : [item.source].filter((source) => source instanceof LiveSource)
      for (const source of live) await refresh(source, item)
    },
    'plumbline.kubeconfig.select': async () => {
      const files = await prompts.openKubeconfig()
      if (files.length === 0) return
      const known = readSetting('plumbline.kubeconfig')
      await writeSetting('plumbline.kubeconfig', [...new Set([...known, ...files.map((uri) => uri.fsPath)])])
    },
    'plumbline.bundle.open': async () => {
      const uri = await prompts.openBundle()
      if (uri !== undefined) await sources.openBundle(uri)
    },
    'plumbline.bundle.close': async (item) => {
      const source = item?.source ?? (await pickSource(sources.bundles, vscode.l10n.t('Close which bundle?')))
      if (source?.kind === 'bundle') await sources.closeBundle(source)
    },
    'plumbline.bundle.save': async (item) => saveBundle(app, item),
    'plumbline.agent.deploy': async (item) => {
      const source = await pickLive(app, item, () => true)
      if (source !== undefined) await deployAgent(source, item?.kind === 'node' ? item.name : undefined, parts)
    },
    'plumbline.agent.remove': async (item) => {
      const source = await pickLive(app, item, () => true)
      if (source !== undefined) await removeAgent(source, parts)
    },
    'plumbline.rights.copy': async (item) => {
      const source = item?.source ?? app.connected[0]
      if (source === undefined || source.missingRights.length === 0) return
      await copyRbac(source.missingRights, source instanceof LiveSource ? source.context.user : '<user>')
      void vscode.window.showInformationMessage(
        vscode.l10n.t('The RBAC objects that grant what is missing are on the clipboard.'),
      )
    },
    'plumbline.trace.ask': () => askQuestion(app, undefined, {}),
    'plumbline.trace.from': (item) => askQuestion(app, item?.source, placeOf(item, 'from')),
    'plumbline.trace.to': (item) => askQuestion(app, item?.source, placeOf(item, 'to')),
    'plumbline.trace.rerun': async (record) => {
      if (record === undefined) return
      await sources.load()
      const source = sources.find(record.sourceId)
      if (source === undefined)
        throw new PlumblineError('not-found', vscode.l10n.t('{0} is not open any more.', record.sourceName))
      await traces.open(source, record.asked)
    },
    'plumbline.trace.delete': (record) => record && history.remove(record),
    'plumbline.trace.clear': () => history.clear(),
    'plumbline.flows.start': async () => (await flows.desk()).choose(),
    'plumbline.flows.stop': async () => (await flows.desk()).stop(),
    'plumbline.flows.since': async () => (await flows.desk()).run('since'),
    'plumbline.flows.record': async () => (await flows.desk()).record(),
    'plumbline.flows.stopRecording': async () => (await flows.desk()).stopRecording(),
    'plumbline.flows.open': async () => (await flows.desk()).open(),
    'plumbline.flows.export': async () => (await flows.desk()).exportKept(),
    'plumbline.flows.clear': async () => (await flows.desk()).run('clear'),
    'plumbline.flows.show': async (item) => {
      if (item !== undefined) await (await flows.reveal()).showOnly(flowFilter(item), item.source)
    },
    'plumbline.map.open': (item) => openMapOf(app, item),
    'plumbline.map.watch': (item) => watchMapOf(app, item),
    'plumbline.map.export': (item) => exportMap(app, item),
    'plumbline.find.address': (what) => askFind(app, what),
    'plumbline.evidence.open': async (facts, evidence) => {
      if (facts !== undefined && evidence !== undefined) await traces.evidence.open(facts, evidence, vscode.ViewColumn.Active)
    },
    'plumbline.tree.loadMore': (item) => {
      if (item?.kind === 'more') app.clusters.loadMore(item.list)
    },
    'plumbline.status.show': () => showActions(app),
    'plumbline.logs.show': () => log.show(),
  }
}

async function connect(source: LiveSource): Promise<void> {
  await progress(vscode.l10n.t('Connecting to {0}', source.name), (signal, onProgress) => source.connect({ signal, onProgress }))
}

/** Objects, agents, and the snapshots at hand: those of the item's node, or all of them. */
async function refresh(source: LiveSource, item: ClusterItem | undefined): Promise<void> {
  const nodes = item?.kind === 'node' ? [item.name] : [...(source.current?.cluster.nodes.keys() ?? [])]
  await progress(vscode.l10n.t('Refreshing {0}', source.name), async (signal, onProgress) => {
    await source.refreshAgents(signal)
    const answering = nodes.filter((node) => source.agents.some((agent) => agent.node === node && agent.ready))
    await source.facts({ signal, onProgress, maxAge: 0, nodes: answering })
  })
}

async function saveBundle(app: App, item: ClusterItem | undefined): Promise<void> {
  const source = item?.source ?? (await pickSource(app.sources.usable, vscode.l10n.t('Save the facts of which cluster?')))
  if (source === undefined) return
  const facts = await progress(vscode.l10n.t('Collecting {0}', source.name), (signal, onProgress) => {
    const nodes = source instanceof LiveSource ? source.agents.filter((agent) => agent.ready).map((agent) => agent.node) : []
    return source.facts({ signal, onProgress, maxAge: 0, nodes })
  })
  const uri = await app.prompts.save(`${source.name.replace(/[^\w.-]+/g, '-')}.zip`, { Bundles: ['zip'] })
  if (uri === undefined) return
  const { packBundle } = await import('./sources/packBundle.ts')
  await vscode.workspace.fs.writeFile(uri, packBundle(facts, source.name, app.version))
}

async function askQuestion(app: App, from: FactSource | undefined, known: Partial<AskedTrace>): Promise<void> {
  const source = from ?? (await pickSource(askable(app.sources), vscode.l10n.t('Trace in which cluster?')))
  if (source === undefined) return
  const facts = source.current ?? (await progress(vscode.l10n.t('Reading {0}', source.name), () => source.facts()))
  const asked = await pickQuestion({
    objects: facts.cluster.objects,
    namespace: source instanceof LiveSource ? source.context.namespace : 'default',
    known,
    last: app.memory.get<AskedTrace>(LAST_KEY),
  })
  if (asked === undefined) return
  await app.memory.update(LAST_KEY, asked)
  await app.traces.open(source, asked)
}

function placeOf(item: ClusterItem | undefined, end: 'from' | 'to'): Partial<AskedTrace> {
  const place =
    item?.kind === 'pod'
      ? `pod:${item.namespace}/${item.name}`
      : item?.kind === 'service'
        ? `svc:${item.namespace}/${item.name}`
        : item?.kind === 'node'
          ? `host:${item.name}`
          : undefined
  return place === undefined ? {} : { [end]: place }
}

async function pickLive(
  app: App,
  item: ClusterItem | undefined,
  fits: (source: LiveSource) => boolean,
): Promise<LiveSource | undefined> {
  if (item !== undefined) return item.source instanceof LiveSource ? item.source : undefined
  await app.sources.load()
  const fitting = app.sources.contexts.filter(fits)
  if (fitting.length === 0 && app.sources.contexts.length === 0) {
    throw app.sources.problems[0] ?? new PlumblineError('kubeconfig', vscode.l10n.t('No kubeconfig file was found.'))
  }
  return (await pickSource(fitting, vscode.l10n.t('Which cluster?'))) as LiveSource | undefined
}

/** Shows the flows of what a row stands for. */
function flowFilter(item: ClusterItem): string {
  switch (item.kind) {
    case 'pod':
      return `pod:${item.namespace}/${item.name}`
    case 'service':
      return `svc:${item.namespace}/${item.name}`
    case 'namespace':
      return `ns:${item.name}`
    case 'node':
      return `node:${item.name}`
    default:
      return ''
  }
}

async function showActions(app: App): Promise<void> {
  const action = (label: string, id: CommandId) => ({ label, run: () => runCommand(id) })
  const picked = await vscode.window.showQuickPick(
    [
      action(vscode.l10n.t('$(git-compare) Trace Packet…'), 'plumbline.trace.ask'),
      action(vscode.l10n.t('$(pulse) Follow Flows…'), 'plumbline.flows.start'),
      action(vscode.l10n.t('$(search) Find Everything About This Address…'), 'plumbline.find.address'),
      action(vscode.l10n.t('$(refresh) Refresh'), 'plumbline.cluster.refresh'),
      action(vscode.l10n.t('$(rocket) Deploy Agent…'), 'plumbline.agent.deploy'),
      action(vscode.l10n.t('$(archive) Save Bundle…'), 'plumbline.bundle.save'),
      action(vscode.l10n.t('$(debug-disconnect) Disconnect'), 'plumbline.cluster.disconnect'),
      action(vscode.l10n.t('$(output) Show Logs'), 'plumbline.logs.show'),
    ],
    { title: `Plumbline: ${app.connected.map((source) => source.name).join(', ')}` },
  )
  await picked?.run()
}

type Tell = (progress: { readonly text: string; readonly done: number; readonly of: number }) => void

function progress<T>(title: string, task: (signal: AbortSignal, onProgress: Tell) => Promise<T>): Promise<T> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true }
  return Promise.resolve(
    vscode.window.withProgress(options, (report, token) => {
      let last = 0
      return task(abortOn(token), ({ text, done, of }) => {
        report.report({ message: text, increment: (100 * (done - last)) / of })
        last = done
      })
    }),
  )
}
