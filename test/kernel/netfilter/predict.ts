// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../../../core/facts/netns.ts'
import { type Connection, type Flight, type Packet, TCP_FLAG, type Tuple } from '../../../core/net/packet.ts'
import type { Netfilter } from '../../../core/netfilter/evaluate.ts'
import type { ExistingConnection, HookBranch, HookName, VisitedRule } from '../../../core/netfilter/traversal.ts'
import { NetnsEnvironment } from '../../../core/routing/environment.ts'
import { routeInput } from '../../../core/routing/input.ts'
import { routeOutput } from '../../../core/routing/output.ts'
import type { Flow } from '../../../core/routing/rules.ts'

/** The node's environment with the connections the test itself has made so far. */
export class TestEnvironment extends NetnsEnvironment {
  readonly #connections = new Map<string, ExistingConnection>()

  override connection(tuple: Tuple, zone: number): ExistingConnection | undefined {
    return this.#connections.get(keyOf(tuple, zone))
  }

  /** Remembers a confirmed connection as it is after this packet. */
  remember(connection: Connection, repliesSeen: boolean, assured: boolean, tcpFlags: number | undefined): void {
    const { original, reply, mark, zone } = connection
    const status =
      8 | (repliesSeen ? 2 : 0) | (assured ? 4 : 0) | (connection.srcNat ? 16 : 0) | (connection.dstNat ? 32 : 0) | 384
    // Until it is answered, what began it is what it is waiting with.
    const common = {
      tcpState: tcpFlags === TCP_FLAG.syn ? 'SYN_SENT' : 'ESTABLISHED',
      original,
      reply,
      status,
      mark,
      evidence: { kind: 'fact', file: 'conntrack', pointer: '', text: '' } as const,
    }
    this.#connections.set(keyOf(original, zone), { direction: 'original', ...common })
    this.#connections.set(keyOf(reply, zone), { direction: 'reply', ...common })
  }
}

function keyOf({ protocol, src, dst, sport, dport }: Tuple, zone: number): string {
  return [protocol, src.value, sport, dst.value, dport, zone].join('|')
}

export type Fate = 'client' | 'server' | 'local' | 'drop' | 'reject' | 'unrouted'

/** One way a packet may end. */
export interface End {
  readonly fate: Fate
  readonly detail: string | undefined
  readonly flight: Flight
  readonly probability: number | null
  readonly visited: readonly VisitedRule[]
  readonly texts: readonly string[]
  readonly unknowns: number
}

/** All ends of a packet at the node: comes in by `iif`, or is made there. */
export function predict(netfilter: Netfilter, netns: Netns, start: Flight): End[] {
  const walk = new Walk(netfilter, netns)
  return start.iif === undefined ? walk.output(state(start)) : walk.prerouting(state(start))
}

interface State {
  readonly flight: Flight
  readonly probability: number | null
  readonly visited: readonly VisitedRule[]
  readonly texts: readonly string[]
  readonly unknowns: number
}

function state(flight: Flight): State {
  return { flight, probability: 1, visited: [], texts: [], unknowns: 0 }
}

class Walk {
  readonly #netfilter: Netfilter
  readonly #netns: Netns

  constructor(netfilter: Netfilter, netns: Netns) {
    this.#netfilter = netfilter
    this.#netns = netns
  }

  prerouting(at: State): End[] {
    return this.#hook('prerouting', at, (after) => {
      const { flight } = after
      if (flight.iif === undefined) throw new Error('came in by no device')
      // A packet that was routed on its way out keeps its route over loopback.
      if (flight.iif === 'lo') return this.#input(after)
      const [route] = routeInput(this.#netns, { ...flow(flight), src: flight.packet.src, iif: flight.iif })
      if (route?.kind !== 'routed') return [end(after, 'unrouted', route?.text)]
      if (route.type === 'local' || route.type === 'broadcast') return this.#input(after)
      return this.#forward({ ...after, flight: { ...aged(flight), oif: route.oif } })
    })
  }

  #input(at: State): End[] {
    return this.#hook('input', { ...at, flight: { ...at.flight, oif: undefined } }, (after) => [end(after, 'local')])
  }

  #forward(at: State): End[] {
    return this.#hook('forward', at, (after) => this.#postrouting(after))
  }

  output(at: State): End[] {
    const routed = this.#routeOut(at)
    if (!routed) return [end(at, 'unrouted')]
    return this.#hook('output', routed, (after) => {
      const rerouted = this.#routeOut(after)
      return rerouted ? this.#postrouting(rerouted) : [end(after, 'unrouted')]
    })
  }

  #routeOut(at: State): State | undefined {
    const [route] = routeOutput(
      this.#netns,
      { ...flow(at.flight), src: at.flight.packet.src, iif: undefined },
      { anySource: true },
    )
    return route?.kind === 'routed' ? { ...at, flight: { ...at.flight, oif: route.oif } } : undefined
  }

  #postrouting(at: State): End[] {
    return this.#hook('postrouting', at, (after) => {
      const { flight } = after
      if (flight.oif === 'lo')
        return this.prerouting({ ...after, flight: { ...flight, iif: 'lo', oif: undefined, socket: undefined } })
      return [end(after, flight.oif === 'n0' ? 'client' : 'server')]
    })
  }

  #hook(hook: HookName, at: State, accepted: (after: State) => End[]): End[] {
    return this.#netfilter.traverse('ip', hook, at.flight).flatMap((branch) => {
      const after = join(at, branch)
      if (branch.verdict === 'accept') return accepted(after)
      return [end(after, branch.verdict === 'reject' ? 'reject' : 'drop', branch.detail)]
    })
  }
}

function join(at: State, branch: HookBranch): State {
  return {
    flight: branch.flight,
    probability: at.probability === null || branch.probability === null ? null : at.probability * branch.probability,
    visited: [...at.visited, ...branch.visited],
    texts: [...at.texts, ...branch.steps.map((step) => `${step.hook} | ${step.text}`)],
    unknowns: at.unknowns + branch.unknowns.length,
  }
}

function end({ flight, probability, visited, texts, unknowns }: State, fate: Fate, detail?: string): End {
  return { fate, detail, flight, probability, visited, texts, unknowns }
}

function flow({ packet, mark, socket }: Flight): Flow {
  return {
    family: packet.family,
    dst: packet.dst,
    src: undefined,
    mark,
    tos: (packet.dscp ?? 0) << 2,
    iif: undefined,
    oif: undefined,
    protocol: packet.protocol,
    sport: packet.sport,
    dport: packet.dport,
    uid: socket?.uid,
  }
}

/** ip_forward and ip6_forward count the hop before the forward hook. */
function aged(flight: Flight): Flight {
  const { packet } = flight
  return { ...flight, packet: { ...packet, ttl: packet.ttl === undefined ? undefined : packet.ttl - 1 } }
}

export function flightOf(packet: Packet, iif: string | undefined, socket?: { uid: number; gid: number }): Flight {
  return {
    packet,
    mark: 0,
    iif,
    oif: undefined,
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: 0,
    socket: socket && { ...socket, cgroup: undefined },
  }
}
