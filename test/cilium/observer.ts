// SPDX-License-Identifier: Apache-2.0

/** What Cilium's own Hubble sees meanwhile, by the lab's Hubble client. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Flow } from '../../core/flows/flow.ts'
import { flowPacket } from '../../core/flows/flowPacket.ts'
import { readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { formatAddress } from '../../core/net/address.ts'
import { ROOT } from '../cluster/lab.ts'

/** Drops, verdicts of policies, and arrivals; what is between tells nothing more. */
const TYPES = ['drop', 'policy-verdict', 'trace:to-endpoint', 'trace:to-network']
const QUIET_MS = 1500
const PATIENCE_MS = 30_000

/** Follows Hubble into a file: a test that is busy would read too slowly, and Hubble forgets. */
export class Observer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-hubble-'))
  readonly #file = join(this.#folder, 'flows.jsonl')
  readonly #child: ChildProcess

  /** From now on, and a little before. */
  constructor() {
    const types = TYPES.flatMap((type) => ['--type', type])
    const args = ['hubble', 'observe', '--follow', '--since', '1s', '-o', 'jsonpb', '--use-default-field-masks=false', ...types]
    const out = openSync(this.#file, 'w')
    // A group of its own, because the lab's command line starts Hubble's client.
    this.#child = spawn(join(ROOT, 'lab/lab'), args, { stdio: ['ignore', out, 'ignore'], detached: true })
    closeSync(out)
  }

  /** Waits until nothing new comes, and stops. */
  async finish(): Promise<Observed> {
    let size = -1
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end && size !== statSync(this.#file).size; await pause(QUIET_MS))
      size = statSync(this.#file).size
    await this.#stop()
    const seen = new Observed(readFileSync(this.#file, 'utf8').split('\n'))
    rmSync(this.#folder, { recursive: true })
    return seen
  }

  async #stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid)
    await ended
  }
}

export class Observed {
  readonly flows: readonly Flow[]
  /** What Hubble could not keep, in words. */
  readonly lost: readonly string[]
  readonly #byRequest = new Map<string, Flow[]>()

  constructor(lines: readonly string[]) {
    // The last line may be cut off.
    const events = lines.slice(0, -1).map(readHubbleLine)
    this.flows = events.flatMap((event) => (event.kind === 'flow' ? [event.flow] : []))
    this.lost = events.flatMap((event) =>
      event.kind === 'lost' ? [`${event.lost.numEventsLost} ${event.lost.source} on ${event.nodeName}`] : [],
    )
    for (const flow of this.flows) this.#add(flow)
  }

  /**
   * Flows of a connection in the direction of its request, wherever its destination was translated to.
   *
   * @param end the local port, or for echoes, which have none, whom they were for.
   */
  of(source: string, protocol: number, end: number | string): readonly Flow[] {
    return this.#byRequest.get(`${source}|${protocol}|${end}`) ?? []
  }

  #add(flow: Flow): void {
    const packet = flowPacket(flow)
    if (packet === undefined) return
    const end = packet.sourcePort ?? formatAddress(packet.destination)
    const key = `${formatAddress(packet.source)}|${packet.protocol}|${end}`
    const known = this.#byRequest.get(key)
    if (known === undefined) this.#byRequest.set(key, [flow])
    else known.push(flow)
  }
}
