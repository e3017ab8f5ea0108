// SPDX-License-Identifier: Apache-2.0

/** The Flows panel in a browser, with the extension's own model behind it and a test in VS Code's place. */

import { readFile } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import type { Envelope } from '../../protocol/panel.ts'
import type { FlowAction, FlowsCommand } from '../../protocol/flowsPanel.ts'
import { FlowsFeed, type Surroundings } from '../../src/flows/flowsFeed.ts'
import { FlowsModel } from '../../src/flows/flowsModel.ts'
import { flowsHandlers } from '../../src/flows/flowsService.ts'
import { type PanelOptions, PanelUnderTest } from './harness/panel.ts'

export interface FlowsOptions extends Partial<Omit<PanelOptions, 'panel' | 'answer'>> {
  readonly capacity?: number
  readonly surroundings?: Surroundings
  readonly facts?: ClusterFacts
  readonly now?: () => number
  /** Done to the model before the page is there. */
  readonly before?: (model: FlowsModel) => void
}

export class FlowsUnderTest {
  readonly panel: PanelUnderTest
  readonly model: FlowsModel
  readonly acts: { readonly action: FlowAction; readonly seq: number }[]
  readonly commands: FlowsCommand[]
  readonly #feed: FlowsFeed

  private constructor(
    panel: PanelUnderTest,
    model: FlowsModel,
    feed: FlowsFeed,
    acts: FlowsUnderTest['acts'],
    commands: FlowsCommand[],
  ) {
    this.panel = panel
    this.model = model
    this.#feed = feed
    this.acts = acts
    this.commands = commands
  }

  static async open(browser: Browser, options: FlowsOptions = {}): Promise<FlowsUnderTest> {
    const {
      capacity = 100_000,
      surroundings = { cluster: 'prod-eu', problem: null },
      facts,
      now = Date.now,
      before,
      ...rest
    } = options
    const model = new FlowsModel(capacity, now)
    before?.(model)
    const acts: { action: FlowAction; seq: number }[] = []
    const commands: FlowsCommand[] = []
    const handlers = {
      ...flowsHandlers(model, () => facts),
      run: async ({ command }: { command: FlowsCommand }) => {
        commands.push(command)
        if (command === 'pause') model.pause()
        if (command === 'resume') model.resume()
        if (command === 'clear') model.clear()
        return null
      },
      act: async (act: { action: FlowAction; seq: number }) => {
        acts.push(act)
        return { said: 'Copied.' }
      },
      remedy: async () => null,
    }
    const answer = (method: string, params: unknown) => {
      const handler = handlers[method as keyof typeof handlers] as (params: unknown, signal: AbortSignal) => Promise<unknown>
      return handler(params, new AbortController().signal)
    }
    let feed: FlowsFeed | undefined
    const onEvent = (envelope: Envelope) => {
      if (envelope.kind !== 'event') return
      if (envelope.name === 'ready') feed?.start()
      if (envelope.name === 'seen') feed?.seen((envelope.payload as { tick: number }).tick)
    }
    const panel = await PanelUnderTest.open(browser, { ...rest, panel: 'flows', answer, onEvent })
    feed = new FlowsFeed(
      model,
      () => surroundings,
      (state) => void panel.tell('state', state).catch(() => {}),
    )
    model.onChange = () => feed?.changed()
    if (panel.sent.some((envelope) => envelope.kind === 'event' && envelope.name === 'ready')) feed.start()
    return new FlowsUnderTest(panel, model, feed, acts, commands)
  }

  async close(): Promise<void> {
    this.#feed.dispose()
    await this.panel.close()
  }
}

/** Lines of a recording of the lab. */
export async function recordedLines(name: 'clients' | 'dropped'): Promise<readonly string[]> {
  const text = await readFile(`test/fixtures/raw/cilium/hubble/${name}.jsonl`, 'utf8')
  return text.split('\n').filter((line) => line !== '')
}

export function appendLines(model: FlowsModel, lines: readonly string[]): void {
  for (const line of lines) model.append(readHubbleLine(line))
  model.update()
}
