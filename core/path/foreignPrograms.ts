// SPDX-License-Identifier: Apache-2.0

import type { Device, Netns } from '../facts/netns.ts'
import type { Unknown } from './answer.ts'
import { ended, type Movement, step, type Traveller, unknown } from './traveller.ts'
import type { World } from './world.ts'

/** Where a program sees a packet before the rules of the IP stack do, and where after them. */
const BEFORE_RULES = new Set(['tcx_ingress', 'tc_ingress', 'xdp'])
const AFTER_RULES = new Set(['tcx_egress', 'tc_egress'])

interface Program {
  readonly name: string
  readonly attach: string
  readonly file: string
  readonly pointer: string
}

/** By interface index. */
interface Programs {
  readonly before: ReadonlyMap<number, Program>
  readonly after: ReadonlyMap<number, Program>
}

/**
 * Says, in the netfilter lane, that a program comes before a node's rules and may take the packet from them. What the rules
 * would do is still followed: they are what is left when the program goes, and what it bypasses. Where they hand the packet to a
 * device that leads nowhere but to a program, this lane ends. The result is for `walk`.
 */
export function noteForeignPrograms(world: World): (movement: Movement) => readonly Movement[] | undefined {
  const known = new Map<Netns, Programs>()
  return (movement) => {
    if (movement.kind === 'ended') return undefined
    const { netns } = movement.traveller
    const programs = known.get(netns) ?? programsOf(world, netns)
    known.set(netns, programs)
    return movement.kind === 'arriving' ? arriving(movement, programs) : leaving(movement, programs)
  }
}

function arriving(movement: Extract<Movement, { kind: 'arriving' }>, { before }: Programs): readonly Movement[] | undefined {
  const { traveller, iif } = movement
  const program = before.get(traveller.netns.devices.named(iif)?.ifindex ?? 0)
  if (program === undefined || isNoted(traveller)) return undefined
  return [{ ...movement, traveller: noted(traveller, iif, program) }]
}

/** A cable from the node to itself carries nothing by itself: whoever laid it (cilium_host, cilium_net) has a program at its end. */
function leaving(
  { traveller, oif }: Extract<Movement, { kind: 'leaving' }>,
  { after }: Programs,
): readonly Movement[] | undefined {
  const device = traveller.netns.devices.named(oif)
  const program = after.get(device?.ifindex ?? 0)
  if (device === undefined || program === undefined || !endsHere(traveller.netns, device)) return undefined
  const { name, attach, file, pointer } = program
  const evidence = { kind: 'fact', file, pointer, text: `${name} at ${attach} of ${oif}` } as const
  const missing: Unknown = {
    what: `what ${name} at ${attach} of ${oif} on ${traveller.netns.node} does with the packet`,
    missing: 'what its maps hold, as the eBPF lane shows; no rule of the node is met any more',
    evidence,
  }
  const text = `${name} takes over what leaves by ${oif}, which leads back into this node: the rules end here`
  const taken = step(unknown(traveller, missing), {
    hook: 'tc',
    actor: { kind: 'program', ref: name },
    effect: 'unknown',
    evidence,
    text,
  })
  return [ended({ ...taken, probability: null }, 'unknown')]
}

/** Both ends of a veth in one namespace. */
function endsHere(netns: Netns, device: Device): boolean {
  if (device.peerIfindex === undefined || (device.peerNetns !== undefined && device.peerNetns !== netns.id)) return false
  const peer = netns.devices.at(device.peerIfindex)
  return peer !== undefined && peer !== device && peer.peerIfindex === device.ifindex
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
    missing: 'what its maps hold, as the eBPF lane shows; this lane goes on as if the program let the packet pass',
    evidence,
  }
  const text = `${name} sees the packet before the rules do, and may take it; the rules are followed as if it did not`
  const told = step(traveller, { hook: 'tc', actor: { kind: 'program', ref: name }, effect: 'unknown', evidence, text })
  return unknown({ ...told, probability: null }, missing)
}

function programsOf(world: World, netns: Netns): Programs {
  const node = world.facts.nodes.get(netns.node)
  const before = new Map<number, Program>()
  const after = new Map<number, Program>()
  if (node === undefined || netns.id !== 'host') return { before, after }
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
    const side = BEFORE_RULES.has(attach) ? before : AFTER_RULES.has(attach) ? after : undefined
    if (ifindex === undefined || name === undefined || side === undefined) continue
    if (link.field('netns').text() !== netns.id || side.has(ifindex)) continue
    side.set(ifindex, { name, attach, file: link.file, pointer: link.pointer })
  }
  return { before, after }
}
