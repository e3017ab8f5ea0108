// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { registerCommands } from './commands.ts'
import { Owner } from './disposable.ts'
import { Failures } from './failures.ts'
import { Flows } from './flows/flows.ts'
import { YamlSupport } from './languageClient.ts'
import { Finds } from './find/finds.ts'
import { Maps } from './maps/maps.ts'
import type { Prompts } from './prompts.ts'
import type { LiveSource } from './sources/liveSource.ts'
import { Sources } from './sources/sources.ts'
import { StatusBar } from './statusBar.ts'
import { TraceHistory } from './trace/history.ts'
import { SavedTraceEditor } from './trace/savedTraceEditor.ts'
import { Traces } from './trace/traces.ts'
import { ClustersTree } from './trees/clustersTree.ts'
import { TracesTree } from './trees/tracesTree.ts'

/** The extension's parts, put together. Constructing it registers everything and does nothing else. */
export class App extends Owner {
  readonly log = this.own(vscode.window.createOutputChannel('Plumbline', { log: true }))
  readonly failures = new Failures(this.log)
  readonly extensionUri: vscode.Uri
  readonly version: string
  readonly memory: vscode.Memento
  readonly prompts: Prompts
  readonly sources: Sources
  readonly history: TraceHistory
  readonly traces: Traces
  readonly savedTraces: SavedTraceEditor
  readonly flows: Flows
  readonly maps: Maps
  readonly finds: Finds
  readonly clusters: ClustersTree
  readonly status: StatusBar

  constructor(context: vscode.ExtensionContext, prompts: Prompts) {
    super()
    this.extensionUri = context.extensionUri
    this.version = String((context.extension.packageJSON as { version?: unknown }).version ?? '')
    this.memory = context.workspaceState
    this.prompts = prompts
    this.sources = this.own(new Sources(context.workspaceState, this.log))
    this.history = this.own(new TraceHistory(context.workspaceState))
    this.traces = this.own(new Traces(context.extensionUri, this.sources, this.history, this.failures, prompts))
    this.savedTraces = this.own(
      new SavedTraceEditor({
        extensionUri: context.extensionUri,
        sources: this.sources,
        evidence: this.traces.evidence,
        failures: this.failures,
        prompts,
      }),
    )
    this.flows = this.own(
      new Flows({
        extensionUri: context.extensionUri,
        sources: this.sources,
        traces: this.traces,
        failures: this.failures,
        prompts,
      }),
    )
    const { sources, failures, extensionUri, memory } = this
    this.finds = this.own(new Finds({ extensionUri, sources, failures, evidence: this.traces.evidence }))
    this.maps = this.own(
      new Maps({
        extensionUri,
        sources,
        failures,
        prompts,
        memory,
        sourceOf: (facts) => this.traces.sourceOf(facts),
        find: (source, query) => this.finds.open(source, query),
      }),
    )
    this.own(this.traces.evidence.showMapsIn(this.maps))
    this.clusters = this.own(new ClustersTree(this.sources, this.failures))
    this.own(new TracesTree(this.history))
    this.status = this.own(new StatusBar(this.sources, this.flows))
    this.own(new YamlSupport(context.extensionUri, this.log))
    this.own(registerCommands(this))
  }

  get connected(): readonly LiveSource[] {
    return this.sources.contexts.filter((source) => source.state === 'connected')
  }
}
