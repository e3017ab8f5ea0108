// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { KubeconfigError } from '../../cluster/errors.ts'
import { Owner } from '../disposable.ts'
import { readSetting, setContext } from '../typed.ts'
import { BundleSource } from './bundleSource.ts'
import type { FactSource } from './factSource.ts'
import { LiveSource } from './liveSource.ts'

const BUNDLES_KEY = 'bundles'

/** All sources of facts: contexts of every kubeconfig file, and bundles that were opened. */
export class Sources extends Owner {
  readonly #memory: vscode.Memento
  readonly #log: vscode.LogOutputChannel
  readonly #changed = this.own(new vscode.EventEmitter<FactSource | undefined>())
  /** The source that changed; undefined: the list did. */
  readonly onDidChange = this.#changed.event
  readonly #contexts = new Map<string, LiveSource>()
  readonly #bundles = new Map<string, BundleSource>()
  #problems: readonly KubeconfigError[] = []
  #loading: Promise<void> | undefined

  constructor(memory: vscode.Memento, log: vscode.LogOutputChannel) {
    super()
    this.#memory = memory
    this.#log = log
    this.own({ dispose: () => this.#disposeAll() })
    this.own(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (['plumbline.kubeconfig', 'plumbline.bundles'].some((id) => event.affectsConfiguration(id))) void this.reload()
      }),
    )
    this.own(vscode.workspace.onDidGrantWorkspaceTrust(() => void this.reload()))
    for (const uri of memory.get<readonly string[]>(BUNDLES_KEY, [])) this.#bundleAt(vscode.Uri.parse(uri))
  }

  get contexts(): readonly LiveSource[] {
    return [...this.#contexts.values()]
  }

  get bundles(): readonly BundleSource[] {
    return [...this.#bundles.values()]
  }

  get all(): readonly FactSource[] {
    return [...this.contexts, ...this.bundles]
  }

  /** Files and contexts of the kubeconfig that could not be used. */
  get problems(): readonly KubeconfigError[] {
    return this.#problems
  }

  /** Sources that questions can be asked about now. */
  get usable(): readonly FactSource[] {
    return this.all.filter((source) => source.current !== undefined)
  }

  find(id: string): FactSource | undefined {
    return this.#contexts.get(id) ?? this.#bundles.get(id)
  }

  /** Reads the kubeconfig files, once; later calls wait for the first. Bundles are read meanwhile, and tell when they are. */
  load(): Promise<void> {
    this.#loading ??= this.reload()
    return this.#loading
  }

  async reload(): Promise<void> {
    for (const path of readSetting('plumbline.bundles')) this.#bundleAt(vscode.Uri.file(path))
    // A bundle keeps its own failure and shows it in its row.
    for (const bundle of this.bundles) void bundle.facts().catch(() => undefined)
    await this.#loadContexts()
    this.#tell(undefined)
  }

  async openBundle(uri: vscode.Uri): Promise<BundleSource> {
    const known = this.bundles
    const bundle = this.#bundleAt(uri)
    try {
      await bundle.facts()
    } catch (error) {
      if (!known.includes(bundle)) await this.closeBundle(bundle)
      throw error
    }
    await this.#remember()
    this.#tell(undefined)
    return bundle
  }

  async closeBundle(bundle: FactSource): Promise<void> {
    this.#bundles.delete(bundle.id)
    bundle.dispose()
    await this.#remember()
    this.#tell(undefined)
  }

  /** The bundle of that place, once. */
  #bundleAt(uri: vscode.Uri): BundleSource {
    const known = this.#bundles.get(BundleSource.idOf(uri))
    if (known !== undefined) return known
    const bundle = new BundleSource(uri)
    this.#bundles.set(bundle.id, bundle)
    bundle.onDidChange(() => this.#tell(bundle))
    return bundle
  }

  /** A kubeconfig may run programs to get credentials, so contexts need a trusted workspace. */
  async #loadContexts(): Promise<void> {
    const { kubeconfigSources, listContexts } = await import('../../cluster/kubeconfig.ts')
    const sources = vscode.workspace.isTrusted ? kubeconfigSources(readSetting('plumbline.kubeconfig')) : []
    const { contexts, problems } = await listContexts(sources)
    this.#problems = problems
    for (const problem of problems) this.#log.warn(problem.message)
    const found = new Set<string>()
    for (const context of contexts) {
      const source = new LiveSource(context, this.#log)
      found.add(source.id)
      if (this.#contexts.has(source.id)) continue
      this.#contexts.set(source.id, source)
      source.onDidChange(() => this.#tell(source))
    }
    for (const [id, source] of this.#contexts) {
      if (found.has(id)) continue
      this.#contexts.delete(id)
      source.dispose()
    }
    setContext('plumbline.noContexts', this.#contexts.size === 0)
  }

  #tell(source: FactSource | undefined): void {
    setContext('plumbline.hasFacts', this.usable.length > 0)
    if (!this.disposed) this.#changed.fire(source)
  }

  async #remember(): Promise<void> {
    const set = new Set(readSetting('plumbline.bundles').map((path) => BundleSource.idOf(vscode.Uri.file(path))))
    const opened = this.bundles.filter((bundle) => !set.has(bundle.id))
    await this.#memory.update(
      BUNDLES_KEY,
      opened.map((bundle) => bundle.uri.toString()),
    )
  }

  #disposeAll(): void {
    for (const source of this.all) source.dispose()
  }
}
