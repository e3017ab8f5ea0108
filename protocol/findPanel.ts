// SPDX-License-Identifier: Apache-2.0

import type { Found } from '../core/find/found.ts'
import type { PanelError } from './panel.ts'

/** *Find Everything About This Address*. The host searches the facts; the page filters and shows what was found. */
export interface FindPanelContract {
  readonly hostMethods: {
    /** Opens the evidence of what was found at this index. */
    readonly open: readonly [{ index: number }, null]
    /** Asks something else, in the same panel. */
    readonly search: readonly [{ query: string }, null]
    /** Searches again, live clusters with fresh facts. */
    readonly refresh: readonly [Record<string, never>, null]
    readonly cancel: readonly [Record<string, never>, null]
    readonly copy: readonly [{ index: number }, null]
    readonly remedy: readonly [{ title: string }, null]
  }
  readonly hostEvents: {
    readonly view: FindView
    readonly broken: PanelError
  }
  readonly webviewEvents: {
    readonly ready: { readonly version: number }
  }
}

export interface FindView {
  /** As asked: "10.96.0.20", "pod:shop/web", "identity:12345". */
  readonly query: string
  /** Addresses and identities it stands for. */
  readonly wanted: string
  /** Id of the source, so that a reloaded window can ask again. */
  readonly source: string
  /** "prod-eu (live)". */
  readonly facts: string
  readonly capturedAt: string | null
  /** What is being searched; null when that is done. */
  readonly searching: string | null
  readonly found: readonly FoundRow[]
  /** Networks of everything that were left out. */
  readonly everything: number
  readonly truncated: boolean
  readonly nodes: readonly string[]
  readonly gaps: readonly string[]
}

export type FoundRow = Pick<Found, 'group' | 'node' | 'place' | 'text'> & {
  /** Length of the network it is within; null: itself. */
  readonly within: number | null
}
