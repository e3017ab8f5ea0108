// SPDX-License-Identifier: Apache-2.0

/**
 * Messages between the extension host and its webviews. Both directions carry the same four envelopes; what may be asked and
 * told is listed per panel in a `PanelContract`. docs/protocol.md explains the flow.
 *
 * A request is answered exactly once: by `result`, or by `failure`. The asking side gives up after its timeout and sends
 * `cancel`; answers to a request nobody waits for are dropped. The first message of a webview is the event `ready` with
 * the version below; a host that speaks another version reloads the page instead of guessing.
 */

export const PANEL_PROTOCOL_VERSION = 1

export type Envelope =
  | { readonly kind: 'request'; readonly id: number; readonly method: string; readonly params: unknown }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: PanelError }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'event'; readonly name: string; readonly payload: unknown }

/** An error as it crosses the boundary: what happened and what to do, never a stack. */
export interface PanelError {
  /** Stable, for code: "cancelled", "timeout", "unknown-method", "bad-request", "cluster-unreachable", … */
  readonly code: string
  /** For people. */
  readonly message: string
  /** Titles of actions the host offers for it; asking for one by its title runs it. */
  readonly actions?: readonly string[]
}

/** What one panel's two sides may say. */
export interface PanelContract {
  /** Requests the webview may make of the host: method to [params, result]. */
  readonly hostMethods: Readonly<Record<string, readonly [unknown, unknown]>>
  /** Events the host may tell the webview. */
  readonly hostEvents: Readonly<Record<string, unknown>>
  /** Events the webview may tell the host. */
  readonly webviewEvents: Readonly<Record<string, unknown>>
}
