// SPDX-License-Identifier: Apache-2.0

import type { Envelope } from '../protocol/panel.ts'
import type { Channel } from './bridge.ts'

/** What VS Code gives a webview, once. This is the only module that knows; tests put their own function in its place. */
declare function acquireVsCodeApi(): {
  postMessage(message: unknown): void
  getState(): unknown
  setState(state: unknown): void
}

export interface Host extends Channel {
  /** What `remember` kept last, also across a reload of the window; undefined at first. */
  recall(): unknown
  remember(state: unknown): void
}

export function connectHost(): Host {
  const api = acquireVsCodeApi()
  return {
    post: (envelope) => api.postMessage(envelope),
    listen: (handler) => {
      const onMessage = ({ data }: MessageEvent<unknown>) => {
        if (isEnvelope(data)) handler(data)
      }
      window.addEventListener('message', onMessage)
      return () => window.removeEventListener('message', onMessage)
    },
    recall: () => api.getState(),
    remember: (state) => api.setState(state),
  }
}

/** VS Code's own page and browser extensions post messages to the window too. */
function isEnvelope(data: unknown): data is Envelope {
  return typeof data === 'object' && data !== null && 'kind' in data && typeof data.kind === 'string'
}
