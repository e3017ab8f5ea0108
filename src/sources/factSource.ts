// SPDX-License-Identifier: Apache-2.0

import type * as vscode from 'vscode'
import type { MissingRight } from '../../cluster/errors.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { FactFiles } from '../../core/facts/files.ts'

/** Facts as of some moment: the files, for evidence, and what they say. They never change; newer facts are another value. */
export interface Facts {
  readonly files: FactFiles
  readonly cluster: ClusterFacts
  /** RFC 3339 of the oldest part used; null when no snapshot says when it was taken. */
  readonly capturedAt: string | null
  /** What is missing, a sentence each. */
  readonly partial: readonly string[]
}

export interface FactsOptions {
  /** Nodes whose snapshots are needed; undefined: none but those at hand. */
  readonly nodes?: readonly string[]
  /** How old facts may be, in milliseconds. 0: they are collected anew. */
  readonly maxAge?: number
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: { readonly text: string; readonly done: number; readonly of: number }) => void
}

/** Where facts come from: a live context or a bundle. */
export interface FactSource extends vscode.Disposable {
  readonly kind: 'context' | 'bundle'
  /** Stable across restarts. */
  readonly id: string
  readonly name: string
  readonly onDidChange: vscode.Event<void>
  /** Facts at hand; undefined while it is not connected or could not be read. */
  readonly current: Facts | undefined
  /** Why there are none, if that is not simply because nobody asked yet. */
  readonly failure: Error | undefined
  readonly missingRights: readonly MissingRight[]
  facts(options?: FactsOptions): Promise<Facts>
}
