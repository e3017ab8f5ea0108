// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import type { Unknown } from './answer.ts'
import { type Movement, step, type Traveller, unknown } from './traveller.ts'
import type { World } from './world.ts'

/** Where a program sees a packet before the rules of the IP stack do. */
const BEFORE_RULES = new Set(['tcx_ingress', 'tc_ingress', 'xdp'])

interface Program {
  readonly name: string
  readonly attach: string
  readonly file: string
  readonly pointer: string
}

/**
 * Says, in the netfilter lane, that a program comes before a node's rules and may take the packet from them. What the rules
 * would do is still followed: they are what is left when the program goes, and what it bypasses. The result is for `walk`.
 */
export function noteIngressPrograms(world: World): (movement: Movement) => readonly Movement[] | undefined {
  const known = new Map<Netns, ReadonlyMap<number, Program>>()
  return (movement) => {
    if (movement.kind !== 'arriving') return undefined
    const { traveller, iif } = movement
    const { netns } = traveller
    const programs = known.get(netns) ?? programsOf(world, netns)
    known.set(netns, programs)
    const program = programs.get(netns.devices.named(iif)?.ifindex ?? 0)
    if (program === undefined || isNoted(traveller)) return undefined
    return [{ ...movement, traveller: noted(traveller, iif, program) }]
  }
}

/** Once a node is enough: from there on everything depends on it. */
function isNoted({ steps, netns }: Traveller): boolean {
  return steps.some(({ node, actor }) => node === netns.node && actor.kind === 'program')
}

function noted(traveller: Traveller, iif: string, { name, attach, file, pointer }: Program): Traveller {
  const { node } = traveller.netns
  const evidence = { kind: 'fact', file, pointer, text: `${name} at ${attach} of ${iif}` } as const
  const missing: Unknown = {
    what: `what ${name} at ${attach} of ${iif} on ${node} does with the packet before the rules see it`,
    missing: 'the eBPF lane shows it; this lane goes on as if the program let the packet pass',
    evidence,
  }
  const text = `${name} sees the packet before the rules do, and may take it; the rules are followed as if it did not`
  const told = step(traveller, { hook: 'tc', actor: { kind: 'program', ref: name }, effect: 'unknown', evidence, text })
  return unknown({ ...told, probability: null }, missing)
}

/** Programs on the way in, by interface index. */
function programsOf(world: World, netns: Netns): ReadonlyMap<number, Program> {
  const node = world.facts.nodes.get(netns.node)
  const programs = new Map<number, Program>()
  if (node === undefined || netns.id !== 'host') return programs
  const foreign = new Map(
    node
      .shape('bpf/programs.json')
      .items()
      .filter((program) => program.field('own').flag() !== true)
      .map((program) => [program.field('id').integer(), program.field('name').text() ?? 'a program']),
  )
  for (const link of node.shape('bpf/links.json').items()) {
    const ifindex = link.field('ifindex').integer()
    const attach = link.field('attach').text() ?? ''
    const name = foreign.get(link.field('programId').integer())
    if (ifindex === undefined || name === undefined || !BEFORE_RULES.has(attach)) continue
    if (link.field('netns').text() !== netns.id || programs.has(ifindex)) continue
    programs.set(ifindex, { name, attach, file: link.file, pointer: link.pointer })
  }
  return programs
}
