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
    this.uri = uri
  }

  get id(): string {
    return `bundle:${this.uri.toString()}`
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

/** RFC 3339 times of one zone compare as text. */
export function oldest(nodes: Iterable<{ readonly capturedAt: string | undefined }>): string | null {
  return [...nodes].flatMap((node) => node.capturedAt ?? []).sort()[0] ?? null
}

function describeGaps(cluster: Facts['cluster'], files: FactFiles): string[] {
  const gaps = cluster.problems.map((problem) => `${problem.file}: ${problem.reason}`)
  if (cluster.nodes.size === 0 && files.list().length > 0) gaps.push(vscode.l10n.t('The bundle holds no node snapshots'))
  return gaps
}
