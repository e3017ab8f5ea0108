// SPDX-License-Identifier: Apache-2.0

import type { Flight, Packet } from '../net/packet.ts'
import { formatAddress } from '../net/address.ts'
import type { HookBranch } from '../netfilter/traversal.ts'
import { isOwnAddress } from '../routing/source.ts'
import { hasPorts } from './place.ts'
import { sendLocal } from './stack.ts'
import { endpoint, type Ending, type Movement, packetText, type Translation, type Traveller } from './traveller.ts'
import { travellerIn } from './start.ts'
import { walk } from './walk.ts'
import { type Hooks, World } from './world.ts'

export interface Reply {
  readonly text: string
  /** The answer misses a place that would have to undo its translation, so the sender doesn't recognise it. */
  readonly lost: boolean
}

/**
 * What the answer to a delivered packet looks like to its sender. Walks the way back over routes and wires, and undoes
 * translations where the answer meets the connection tracking that made them.
 */
export function replyOf(world: World, { traveller, verdict }: Ending, asked: Traveller['flight']['packet']): Reply | undefined {
  const { translations } = traveller
  if (verdict !== 'delivered') return undefined
  const { packet } = traveller.flight
  const back: Flight = {
    ...traveller.flight,
    packet: { ...packet, src: packet.dst, dst: packet.src, sport: packet.dport, dport: packet.sport, ttl: 64 },
    mark: 0,
    iif: undefined,
    oif: undefined,
    physin: undefined,
    physout: undefined,
    connection: undefined,
  }
  const undone = new Undo(translations)
  const quiet = new World(world.facts, (netns) => undone.hooksIn(netns.folder))
  const endings = walk(quiet, answer(quiet, travellerIn(traveller.netns, back)), { ctState: 'new' })
  const from = endpoint(asked, 'destination')
  const shown = `${from.ip}${from.port === null ? '' : `:${from.port}`}`
  const stopped = endings.find((end) => end.verdict === 'dropped' || end.verdict === 'rejected')
  if (stopped !== undefined) return stoppedReply(stopped, back.packet)
  if (undone.left.length === 0)
    return translations.length === 0 ? undefined : { text: `answers reach the sender as from ${shown}`, lost: false }
  const ending = endings[0]
  const missed = undone.left[0]
  const where = missed === undefined ? '' : `${missed.netns.label === 'host' ? `node ${missed.netns.node}` : missed.netns.label}`
  const ends = ending?.traveller.netns.label === 'host' ? `node ${ending.traveller.netns.node}` : ending?.traveller.netns.label
  const outside = ending?.verdict === 'forwarded' ? `leaves the cluster from ${ends}` : `goes to ${ends}`
  return {
    text: `the answer ${packetText(back.packet)} ${outside} without passing ${where}, which translated the connection: the sender waits for an answer from ${shown} and gets one from ${formatAddress(back.packet.src)}`,
    lost: true,
  }
}

/** Routes and settings stop it; rules let answers of known connections pass, or are none of this walk's business. */
function stoppedReply({ traveller }: Ending, answer: Packet): Reply {
  const last = traveller.steps.at(-1)
  const where = traveller.netns.label === 'host' ? `node ${traveller.netns.node}` : traveller.netns.label
  return { text: `the answer ${packetText(answer)} does not get back: at ${where}, ${last?.text ?? 'it is dropped'}`, lost: true }
}

/** Sent by the namespace that has the address, or by a pod behind it that no snapshot shows. */
function answer(world: World, traveller: Traveller): readonly Movement[] {
  const { src } = traveller.flight.packet
  const { netns } = traveller
  if (isOwnAddress(netns, src)) return sendLocal(world, traveller, src)
  const iif = world.deviceTowards(netns, src) ?? 'eth0'
  return [{ kind: 'arriving', traveller, iif, nexthop: netns.addresses[0]?.address ?? src }]
}

/**
 * Translations still to be undone, last made first. On an answer's way in the destination is put back, so that it is routed
 * to the sender, and on its way out the source.
 */
class Undo {
  readonly left: Translation[]
  #half: Translation | undefined

  constructor(translations: readonly Translation[]) {
    this.left = [...translations].reverse()
  }

  /** Rules of a namespace that do nothing but undo what its connection tracking did. */
  hooksIn(folder: string): Hooks {
    return {
      traverse: (layer, hook, flight) => {
        if (layer !== 'ip') return [passed(flight)]
        if (hook === 'postrouting' || hook === 'input') return [passed(this.#sourceBack(folder, flight))]
        return [passed(hook === 'forward' ? flight : this.#destinationBack(folder, flight))]
      },
    }
  }

  #destinationBack(folder: string, flight: Flight): Flight {
    const [next] = this.left
    if (next === undefined || next.netns.folder !== folder) return flight
    this.left.shift()
    this.#half = next
    const { original } = next.connection
    const port = hasPorts(flight.packet.protocol) ? { dport: original.sport } : {}
    return { ...flight, packet: { ...flight.packet, dst: original.src, ...port } }
  }

  #sourceBack(folder: string, flight: Flight): Flight {
    if (this.#half?.netns.folder !== folder) return flight
    const { original } = this.#half.connection
    this.#half = undefined
    const port = hasPorts(flight.packet.protocol) ? { sport: original.dport } : {}
    return { ...flight, packet: { ...flight.packet, src: original.dst, ...port } }
  }
}

function passed(flight: Flight): HookBranch {
  return { probability: 1, verdict: 'accept', detail: undefined, flight, steps: [], unknowns: [], visited: [], tproxy: undefined }
}
