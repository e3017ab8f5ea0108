// SPDX-License-Identifier: Apache-2.0

import type { Evidence, Proof, TraceAnswer } from '../core/path/answer.ts'
import type { PanelError } from './panel.ts'

/** The Path Trace panel. The host owns the answer; the webview owns what is selected, folded and focused. */
export interface TracePanelContract {
  readonly hostMethods: {
    /** Opens the rule line, route or object in a read-only editor beside the panel. */
    readonly openEvidence: readonly [{ evidence: Evidence }, null]
    /** Sends a real packet and compares. Progress comes as `proving` events. */
    readonly prove: readonly [Record<string, never>, Proof]
    /** Asks the same question the other way round, in a panel of its own. */
    readonly reverse: readonly [Record<string, never>, null]
    /** Asks again with fresh facts. */
    readonly refresh: readonly [Record<string, never>, TraceAnswer]
    /** Puts the command line that asks the same question on the clipboard, and returns it. */
    readonly copyAsCli: readonly [Record<string, never>, { command: string }]
    /** Saves the answer as JSON; null when the person changed their mind. */
    readonly save: readonly [Record<string, never>, { path: string } | null]
    /** Copies prediction and proof, with addresses and names replaced, for a bug report. */
    readonly report: readonly [Record<string, never>, null]
    /** Does what the last failure's action of that title says. */
    readonly remedy: readonly [{ title: string }, null]
  }
  readonly hostEvents: {
    readonly answer: TraceView
    /** There is no answer to show, and why. */
    readonly broken: PanelError
    readonly proving: { readonly text: string; readonly done: number; readonly of: number }
  }
  readonly webviewEvents: {
    readonly ready: { readonly version: number }
  }
}

export interface TraceView {
  readonly answer: TraceAnswer
  /** Where the facts come from: "prod-eu (live)", "incident-0412.zip (bundle)", "saved trace". */
  readonly facts: string
  /** RFC 3339 of the oldest snapshot used. */
  readonly capturedAt: string | null
  /** Whether Prove It can run. */
  readonly canProve: Ability
  /** Whether the question can be asked again, or the other way round. */
  readonly canAsk: Ability
  /** Parts of the facts that are missing, for the banner. */
  readonly partial: readonly string[]
}

/** Something the host can do now; if not, why. */
export type Ability = { readonly possible: true } | { readonly possible: false; readonly reason: string }
