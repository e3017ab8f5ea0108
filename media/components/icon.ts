// SPDX-License-Identifier: Apache-2.0

import { html, type TemplateResult } from 'lit'

/** Codicons in use: https://microsoft.github.io/vscode-codicons/dist/codicon.html */
export type IconName =
  | 'arrow-down'
  | 'arrow-right'
  | 'arrow-swap'
  | 'arrow-up'
  | 'check'
  | 'chevron-down'
  | 'chevron-right'
  | 'circle-slash'
  | 'clear-all'
  | 'close'
  | 'copy'
  | 'debug-continue'
  | 'debug-pause'
  | 'debug-start'
  | 'debug-stop'
  | 'ellipsis'
  | 'error'
  | 'export'
  | 'filter'
  | 'folder-opened'
  | 'git-compare'
  | 'go-to-file'
  | 'graph-line'
  | 'history'
  | 'info'
  | 'layout-sidebar-right'
  | 'list-flat'
  | 'loading'
  | 'package'
  | 'pass-filled'
  | 'pulse'
  | 'question'
  | 'record'
  | 'refresh'
  | 'report'
  | 'save'
  | 'server'
  | 'shield'
  | 'stop-circle'
  | 'symbol-namespace'
  | 'type-hierarchy'
  | 'verified-filled'
  | 'warning'

export type Tone = 'good' | 'bad' | 'warned' | 'quiet'

/** Decoration: the meaning stands in the words beside it. */
export function icon(
  name: IconName,
  { tone, spin = false }: { readonly tone?: Tone; readonly spin?: boolean } = {},
): TemplateResult {
  return html`<span
    class="codicon codicon-${name} ${tone ?? ''} ${spin ? 'codicon-modifier-spin' : ''}"
    aria-hidden="true"
  ></span>`
}
