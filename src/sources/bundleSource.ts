// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { FactFiles } from '../../core/facts/files.ts'
import { Owner } from '../disposable.ts'
import type { FactSource, Facts } from './factSource.ts'

/** A bundle opened from a folder or zip, through VS Code's file system, so that remote and virtual ones work as well. */
export class BundleSource extends Owner implements FactSource {
  readonly kind = 'bundle'
  readonly uri: vscode.Uri
  readonly missingRights = []
  readonly #changed = this.own(new vscode.EventEmitter<void>())
  readonly onDidChange = this.#changed.event
  #current: Facts | undefined
  #failure: Error | undefined
  #loading: Promise<Facts> | undefined

  constructor(uri: vscode.Uri) {
    super()
    this.uri = bundlePlace(uri)
  }

  static idOf(uri: vscode.Uri): string {
    return `bundle:${bundlePlace(uri).toString()}`
  }

  get id(): string {
    return BundleSource.idOf(this.uri)
  }

  get name(): string {
    return this.uri.path.split('/').at(-1) ?? this.uri.path
  }

  get current(): Facts | undefined {
    return this.#current
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Read once; a bundle doesn't change. */
  facts(): Promise<Facts> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  async #load(): Promise<Facts> {
    try {
      const { openBundleAt } = await import('./openBundle.ts')
      const { loadCluster } = await import('../../core/facts/cluster.ts')
      const { files, problems } = await openBundleAt(this.uri)
      const cluster = loadCluster(files)
      this.#current = {
        files,
        cluster,
        capturedAt: oldest(cluster.nodes.values()),
        partial: [...problems, ...describeGaps(cluster, files)],
      }
      this.#failure = undefined
      return this.#current
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#loading = undefined
      throw error
    } finally {
      this.#changed.fire()
    }
  }
}

/** A folder may be named by the bundle.json in it, or with a slash at its end: it is one and the same bundle. */
function bundlePlace(uri: vscode.Uri): vscode.Uri {
  return uri.with({ path: uri.path.replace(/\/bundle\.json$/, '').replace(/(?<=.)\/+$/, '') })
}

/** RFC 3339 times of one zone compare as text. */
export function oldest(nodes: Iterable<{ readonly capturedAt: string | undefined }>): string | null {
  return [...nodes].flatMap((node) => node.capturedAt ?? []).sort()[0] ?? null
}

function describeGaps(cluster: Facts['cluster'], files: FactFiles): string[] {
  const gaps = cluster.problems.map((problem) => `${problem.file}: ${problem.reason}`)
  if (cluster.nodes.size === 0 && files.list().length > 0) gaps.push(vscode.l10n.t('The bundle holds no node snapshots'))
  return gaps
}
