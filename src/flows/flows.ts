// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { VIEWS } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { Failures } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { Sources } from '../sources/sources.ts'
import type { Traces } from '../trace/traces.ts'
import type { FlowsDesk } from './flowsDesk.ts'

export interface FlowsParts {
  readonly extensionUri: vscode.Uri
  readonly sources: Sources
  readonly traces: Traces
  readonly failures: Failures
  readonly prompts: Prompts
}

/** What the status bar says of flows. */
export interface Watch {
  readonly perSecond: number
  readonly lost: number
  readonly atLeast: boolean
  /** Events are being lost, or nodes or streams are missing. */
  readonly alarmed: boolean
}

/** The Flows view, registered. What is behind it is loaded when somebody looks at it or asks for flows. */
export class Flows extends Owner implements vscode.WebviewViewProvider {
  readonly #parts: FlowsParts
  readonly #changed = this.own(new vscode.EventEmitter<void>())
  /** The watch is another. */
  readonly onDidChange = this.#changed.event
  #loading: Promise<FlowsDesk> | undefined
  #watch: Watch | undefined

  constructor(parts: FlowsParts) {
    super()
    this.#parts = parts
    this.own(vscode.window.registerWebviewViewProvider(VIEWS.flows, this))
  }

  /** While flows are followed. */
  get watch(): Watch | undefined {
    return this.#watch
  }

  async resolveWebviewView(view: vscode.WebviewView): Promise<void> {
    const desk = await this.desk()
    desk.show(view)
  }

  desk(): Promise<FlowsDesk> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** Brings the view to the front. */
  async reveal(): Promise<FlowsDesk> {
    await vscode.commands.executeCommand(`${VIEWS.flows}.focus`)
    return this.desk()
  }

  async #load(): Promise<FlowsDesk> {
    const { FlowsDesk } = await import('./flowsDesk.ts')
    return this.own(
      new FlowsDesk(this.#parts, (watch) => {
        this.#watch = watch
        this.#changed.fire()
      }),
    )
  }
}
