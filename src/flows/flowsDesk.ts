// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { PlumblineError } from '../../cluster/errors.ts'
import { openFlows } from '../../cluster/hubble/flows.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { FlowsCommand, FlowsPanelContract } from '../../protocol/flowsPanel.ts'
import { VIEWS } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { FactSource } from '../sources/factSource.ts'
import { abortOn } from '../trace/traces.ts'
import { readSetting, setContext } from '../typed.ts'
import { WebviewPage } from '../webview/page.ts'
import { actOn } from './flowActions.ts'
import type { FlowsParts, Watch } from './flows.ts'
import { FlowsFeed } from './flowsFeed.ts'
import { type FlowSource, isLive, pickFlowSource, pickSince, SINCE, type Since } from './flowSource.ts'
import { FlowsModel } from './flowsModel.ts'
import { flowsHandlers } from './flowsService.ts'
import { Follower, Recorder } from './follower.ts'
import { exportRecording, readRecording } from './recordings.ts'

/** The Flows view's host side: holds the flows, whoever looks at them, and does what the toolbar, menus and commands ask. */
export class FlowsDesk extends Owner {
  readonly model: FlowsModel
  readonly #parts: FlowsParts
  readonly #onWatch: (watch: Watch | undefined) => void
  readonly #feed: FlowsFeed
  #page: WebviewPage<FlowsPanelContract> | undefined
  #follower: Follower | undefined
  #source: FlowSource | undefined
  #since: Since | undefined = SINCE[0]
  #problem: unknown

  constructor(parts: FlowsParts, onWatch: (watch: Watch | undefined) => void) {
    super()
    this.#parts = parts
    this.#onWatch = onWatch
    this.model = new FlowsModel(readSetting('plumbline.flows.kept'), Date.now)
    const surroundings = () => ({
      cluster: this.#cluster()?.name ?? null,
      problem: this.#problem === undefined ? null : (this.#page?.describe(this.#problem) ?? null),
    })
    this.#feed = this.own(
      new FlowsFeed(this.model, surroundings, (state) => {
        this.#tellWatch()
        this.#page?.tell('state', state)
      }),
    )
    this.model.onChange = () => this.#changed()
    this.own(parts.sources.onDidChange(() => this.#changed()))
    this.own({ dispose: () => this.#follower?.stop() })
  }

  /** Shows the flows in a view. The page is made anew each time VS Code makes the view anew; the flows stay. */
  show(view: vscode.WebviewView): void {
    const { extensionUri, failures } = this.#parts
    const page = new WebviewPage<FlowsPanelContract>(view.webview, {
      extensionUri,
      failures,
      panel: 'flows',
      title: vscode.l10n.t('Flows'),
      handlers: {
        ...flowsHandlers(this.model, () => this.#facts()),
        run: async ({ command }) => this.run(command),
        act: ({ action, seq }) => this.#act(action, seq),
      },
      onEvent: (name, payload) => {
        if (name === 'seen') this.#feed.seen((payload as FlowsPanelContract['webviewEvents']['seen']).tick)
      },
    })
    this.#page = page
    page.show(() => this.#feed.start())
    view.onDidDispose(() => {
      page.dispose()
      if (this.#page !== page) return
      this.#page = undefined
      this.#feed.stop()
    })
  }

  async run(command: FlowsCommand): Promise<null> {
    switch (command) {
      case 'start':
        await this.choose()
        break
      case 'stop':
        this.stop()
        break
      case 'pause':
        this.model.pause()
        break
      case 'resume':
        this.model.resume()
        break
      case 'since':
        await this.#chooseSince()
        break
      case 'record':
        await this.record()
        break
      case 'stopRecording':
        await this.stopRecording()
        break
      case 'open':
        await this.open()
        break
      case 'export':
        await this.exportKept()
        break
      case 'clear':
        this.model.clear()
        break
    }
    return null
  }

  /** Asks where flows are to come from, and follows them. */
  async choose(): Promise<void> {
    const source = await pickFlowSource(this.#parts.sources)
    if (source !== undefined) await this.from(source)
  }

  async from(source: FlowSource): Promise<void> {
    await reveal()
    if (source.kind === 'file') await this.open()
    else if (source.kind === 'bundle') await this.#openBundle(source.source, source.files)
    else await this.#follow(source)
  }

  /** Shows the flows of a filter; if none are followed and they can be, from the filter's own cluster. */
  async showOnly(filter: string, source: FactSource): Promise<void> {
    this.model.setFilter(filter, { seconds: Math.floor(Date.now() / 1000), nanos: 0 })
    this.#page?.tell('filterSet', { text: filter })
    if (this.#follower === undefined && isLive(source)) await this.#follow({ kind: 'cluster', source, way: undefined })
  }

  stop(): void {
    this.#follower?.stop()
    this.#follower = undefined
    setContext('plumbline.hasFlows', false)
    void this.stopRecording()
  }

  async record(): Promise<void> {
    const follower = this.#follower
    if (follower === undefined)
      throw new PlumblineError('hubble', vscode.l10n.t('Follow flows first: there is nothing to record.'))
    const uri = await this.#parts.prompts.save('flows.jsonl', { [vscode.l10n.t('Hubble JSON lines')]: ['jsonl', 'json'] })
    if (uri === undefined) return
    await this.stopRecording()
    follower.recorder = new Recorder(uri.fsPath)
    this.model.recording = { name: follower.recorder.name, written: 0 }
    this.#changed()
  }

  async stopRecording(): Promise<void> {
    const recorder = this.#follower?.recorder
    if (this.#follower !== undefined) this.#follower.recorder = undefined
    this.model.recording = null
    this.#changed()
    await recorder?.close()
  }

  async open(): Promise<void> {
    const picked = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Open Recording of Flows'),
      openLabel: vscode.l10n.t('Open'),
      filters: { [vscode.l10n.t('Hubble JSON lines')]: ['jsonl', 'json', 'ndjson', 'log'], [vscode.l10n.t('All files')]: ['*'] },
    })
    const [uri] = picked ?? []
    if (uri === undefined) return
    await reveal()
    await this.openFile(uri)
  }

  async openFile(uri: vscode.Uri): Promise<void> {
    const name = uri.path.split('/').at(-1) ?? uri.path
    await this.#read(name, async () => [{ name, bytes: await vscode.workspace.fs.readFile(uri) }])
  }

  async exportKept(): Promise<void> {
    const uri = await this.#parts.prompts.save('flows.jsonl', { [vscode.l10n.t('Hubble JSON lines')]: ['jsonl', 'json'] })
    if (uri !== undefined) await vscode.workspace.fs.writeFile(uri, exportRecording(this.model))
  }

  #openBundle(source: FactSource, files: readonly string[]): Promise<void> {
    this.#source = { kind: 'bundle', source, files }
    return this.#read(source.name, async () =>
      files.map((path) => ({ name: path, bytes: source.current?.files.read(path) ?? new Uint8Array() })),
    )
  }

  async #read(
    name: string,
    load: () => Promise<readonly { readonly name: string; readonly bytes: Uint8Array }[]>,
  ): Promise<void> {
    this.stop()
    if (this.#source?.kind !== 'bundle') this.#source = { kind: 'file' }
    this.model.clear()
    this.#problem = undefined
    this.model.opened = name
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Reading {0}', name),
      cancellable: true,
    }
    await vscode.window.withProgress(options, async (_, token) => {
      for (const { name: file, bytes } of await load()) await readRecording(this.model, bytes, file, abortOn(token))
    })
  }

  async #chooseSince(): Promise<void> {
    const since = await pickSince()
    if (since === undefined) return
    this.#since = since
    await reveal()
    if (this.#source?.kind === 'cluster' || this.#source?.kind === 'address') await this.#follow(this.#source)
    else await this.choose()
  }

  /** Opens a stream. What was kept of another one is forgotten. */
  async #follow(source: Extract<FlowSource, { kind: 'cluster' | 'address' }>): Promise<void> {
    this.stop()
    this.model.clear()
    this.model.forgetNodes()
    this.model.resume()
    this.#source = source
    this.#problem = undefined
    try {
      const options = { location: { viewId: VIEWS.flows }, title: vscode.l10n.t('Looking for Hubble') }
      const stream = await vscode.window.withProgress(options, async () => {
        const session = source.kind === 'cluster' ? await source.source.connect() : undefined
        const way = source.kind === 'cluster' ? source.way : ({ kind: 'address', address: source.address } as const)
        return openFlows(session, { request: this.#since?.request() ?? { follow: true }, way })
      })
      const follower = new Follower(this.model, stream)
      this.#follower = follower
      setContext('plumbline.hasFlows', true)
      void this.#run(follower)
    } catch (error) {
      this.#fail(error)
    }
  }

  async #run(follower: Follower): Promise<void> {
    try {
      await follower.run()
    } catch (error) {
      if (this.#follower === follower) this.#fail(error)
    } finally {
      if (this.#follower === follower) this.stop()
    }
  }

  #fail(error: unknown): void {
    if (PlumblineError.is(error, 'cancelled')) return
    this.#problem = error
    this.#parts.failures.record('flows', error)
    this.#changed()
    // With rows in sight the place for what stands in the way is taken.
    if (this.model.count > 0) this.#parts.failures.report('flows', error)
  }

  #act(action: Parameters<typeof actOn>[1], seq: number) {
    const event = this.model.eventOf(seq)
    if (event === undefined) throw new PlumblineError('not-found', vscode.l10n.t('That flow is not kept any more.'))
    return actOn(event, action, { ...this.#parts, source: this.#factSource() })
  }

  #cluster(): FactSource | undefined {
    return this.#parts.sources.contexts.find((source) => source.state === 'connected')
  }

  /** The cluster that the flows are of: where they come from, else the one that is open. */
  #factSource(): FactSource | undefined {
    const source = this.#source
    return (source?.kind === 'cluster' || source?.kind === 'bundle' ? source.source : undefined) ?? this.#parts.sources.usable[0]
  }

  #facts(): ClusterFacts | undefined {
    return this.#factSource()?.current?.cluster
  }

  #changed(): void {
    this.#feed.changed()
  }

  #tellWatch(): void {
    const { model } = this
    const losses = model.losses
    const missing = model.nodes.some(({ state }) => state !== 'connected' && state !== 'absent')
    this.#onWatch(
      model.following === null
        ? undefined
        : {
            perSecond: model.perSecond,
            lost: losses.reduce((sum, { count }) => sum + Math.max(0, count), 0),
            atLeast: losses.some(({ count }) => count < 0),
            alarmed: model.losingNow || missing || model.following.interrupted.length > 0,
          },
    )
  }
}

/** Brings the view to the front: after one was asked, for a view that loads takes the focus from whatever has it. */
function reveal(): Thenable<unknown> {
  return vscode.commands.executeCommand(`${VIEWS.flows}.focus`)
}
