// SPDX-License-Identifier: Apache-2.0

import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { basename } from 'node:path'
import { messageOf } from '../../cluster/errors.ts'
import type { FlowsEvent, FlowStream } from '../../cluster/hubble/flowsEvent.ts'
import type { FlowEvent } from '../../core/flows/flow.ts'
import { hubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { WireReader } from '../../core/flows/hubble/hubbleWire.ts'
import type { FlowsModel } from './flowsModel.ts'

/** Writes events to a file as `hubble observe -o json` does, and waits when the disk is slower than the stream. */
export class Recorder {
  readonly path: string
  readonly #file: WriteStream
  #written = 0
  #failure: Error | undefined

  constructor(path: string) {
    this.path = path
    this.#file = createWriteStream(path)
    this.#file.on('error', (error) => {
      this.#failure = error
    })
  }

  get name(): string {
    return basename(this.path)
  }

  get written(): number {
    return this.#written
  }

  /** @throws what keeps the file from being written */
  async write(event: FlowEvent): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#written++
    if (!this.#file.write(`${hubbleLine(event)}\n`)) await once(this.#file, 'drain')
  }

  async close(): Promise<void> {
    this.#file.end()
    await finished(this.#file)
  }
}

/** Takes what a stream brings into the model, and into a recording while there is one. */
export class Follower {
  readonly #model: FlowsModel
  readonly #stream: FlowStream
  readonly #reader = new WireReader()
  readonly #interrupted = new Map<string, string>()
  recorder: Recorder | undefined

  constructor(model: FlowsModel, stream: FlowStream) {
    this.#model = model
    this.#stream = stream
  }

  /** Until the stream ends or is closed. */
  async run(): Promise<void> {
    this.#tellFollowing()
    try {
      for await (const event of this.#stream) await this.#take(event)
    } finally {
      this.#model.following = null
      this.#model.update()
    }
  }

  stop(): void {
    this.#stream.close()
  }

  async #take(event: FlowsEvent): Promise<void> {
    switch (event.kind) {
      case 'flows':
        for (const response of event.responses) await this.#append(this.#reader.read(response))
        break
      case 'lost':
        await this.#lost(event)
        break
      case 'nodes':
        this.#model.tellNodes(event.nodes.map(({ node, state, reason }) => ({ name: node, state, reason })))
        if (event.response !== undefined) await this.#append(this.#reader.read(event.response))
        break
      case 'interrupted':
        this.#interrupted.set(event.server, messageOf(event.error))
        this.#tellFollowing()
        break
      case 'resumed':
        this.#interrupted.delete(event.server)
        this.#tellFollowing()
        break
    }
    this.#model.update()
  }

  async #lost({ loss, response }: Extract<FlowsEvent, { kind: 'lost' }>): Promise<void> {
    if (response !== undefined) await this.#append(this.#reader.read(response))
    else if (loss.count === undefined) this.#model.lostUnknown(loss.source, loss.node ?? '')
    else {
      const lost = { source: loss.source, numEventsLost: loss.count, cpu: loss.cpu ?? null, first: null, last: null }
      await this.#append({ kind: 'lost', lost, nodeName: loss.node ?? '', time: null })
    }
  }

  async #append(event: FlowEvent): Promise<void> {
    this.#model.append(event)
    if (this.recorder === undefined) return
    await this.recorder.write(event)
    this.#model.recording = { name: this.recorder.name, written: this.recorder.written }
  }

  #tellFollowing(): void {
    const interrupted = [...this.#interrupted].map(([server, reason]) => ({ server, reason }))
    this.#model.following = { from: this.#stream.description, interrupted }
    this.#model.onChange()
  }
}
