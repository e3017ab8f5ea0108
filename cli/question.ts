// SPDX-License-Identifier: Apache-2.0

import { type CtState, IPPROTO } from '../core/net/packet.ts'
import { hasPorts, type Place, PlaceError, parsePlace } from '../core/path/place.ts'
import type { OptionGroup } from './command.ts'
import { UsageError } from './errors.ts'
import type { Options } from './options.ts'
import type { FactSource } from './sources.ts'

const CT_STATES: readonly CtState[] = ['new', 'established', 'related', 'invalid', 'untracked']
const LANES = ['netfilter', 'ebpf', 'both'] as const
const EBPF_SOURCES = ['cilium', 'plumbline', 'planned'] as const
const HOOK_PATHS = ['forward', 'input', 'output'] as const

/** What `trace` was asked, checked as far as that is possible without facts. */
export interface TraceRequest {
  readonly from: Place
  readonly to: Place
  /** IP protocol number. */
  readonly protocol: number
  /** Undefined: every lane the facts allow. */
  readonly lane: (typeof LANES)[number] | undefined
  /** Undefined: the best there are facts for. */
  readonly ebpfSource: (typeof EBPF_SOURCES)[number] | undefined
  readonly ctState: CtState
  readonly mark: number
  readonly iif: string | undefined
  /** For loose rules; undefined: derived from the addresses. */
  readonly hookPath: (typeof HOOK_PATHS)[number] | undefined
  readonly prove: boolean
}

export const QUESTION_OPTIONS: OptionGroup = {
  title: 'Question',
  options: [
    {
      name: 'from',
      takes: 'value',
      placeholder: 'PLACE',
      help: 'Sender: pod:NAMESPACE/NAME, host:NODE, or an address with or without port',
    },
    {
      name: 'to',
      takes: 'value',
      placeholder: 'PLACE',
      help: 'Destination: ADDRESS:PORT/PROTOCOL, [ADDRESS]:PORT/PROTOCOL for IPv6, ADDRESS/ICMP, svc:NAMESPACE/NAME:PORT/PROTOCOL, pod:NAMESPACE/NAME:PORT/PROTOCOL',
    },
    {
      name: 'lane',
      takes: 'value',
      choices: LANES,
      help: 'Way through the node; both by default, where there are facts for both',
    },
    {
      name: 'ebpf-source',
      takes: 'value',
      choices: EBPF_SOURCES,
      help: "What the eBPF lane is read from: Cilium's maps, Plumbline's, or compiled from cluster objects alone",
    },
    { name: 'ct-state', takes: 'value', choices: CT_STATES, help: "Connection tracking's view of the packet; new by default" },
    { name: 'mark', takes: 'value', placeholder: 'NUMBER', help: 'Packet mark it starts with, decimal or 0x…; 0 by default' },
    { name: 'iif', takes: 'value', placeholder: 'DEVICE', help: 'Device it comes in by' },
    {
      name: 'hook-path',
      takes: 'value',
      choices: HOOK_PATHS,
      help: 'Hooks it passes, for rules without a cluster; else derived from --local',
    },
    { name: 'prove', takes: 'flag', help: 'Send a real packet from where the question starts, and compare; live clusters only' },
  ],
}

/** The question of a command line. Throws UsageError. */
export function traceRequest(options: Options, source: FactSource): TraceRequest {
  const from = place(options, 'from')
  const to = place(options, 'to')
  const protocol = protocolOf(from, to)
  checkEnds(from, to, source)
  const request: TraceRequest = {
    from,
    to,
    protocol,
    lane: choice(options, 'lane', LANES),
    ebpfSource: choice(options, 'ebpf-source', EBPF_SOURCES),
    ctState: choice(options, 'ct-state', CT_STATES) ?? 'new',
    mark: markOf(options.value('mark') ?? '0'),
    iif: options.value('iif'),
    hookPath: choice(options, 'hook-path', HOOK_PATHS),
    prove: options.flag('prove'),
  }
  checkSource(request, source)
  return request
}

function place(options: Options, name: string): Place {
  try {
    return parsePlace(options.required(name))
  } catch (error) {
    if (error instanceof PlaceError) throw new UsageError(`\`--${name}\`: ${error.message}`)
    throw error
  }
}

function choice<T extends string>(options: Options, name: string, choices: readonly T[]): T | undefined {
  const value = options.value(name)
  return choices.find((each) => each === value)
}

/** Either end may name the protocol; a port without one means TCP, as everywhere in Kubernetes. */
function protocolOf(from: Place, to: Place): number {
  const protocol = to.protocol ?? from.protocol ?? (to.port === undefined ? undefined : IPPROTO.tcp)
  if (protocol === undefined) {
    const example = to.kind === 'address' ? `${to.text}/ICMP` : `${to.text}:80/TCP`
    throw new UsageError(`\`--to\`: \`${to.text}\` names neither port nor protocol; \`${example}\` would`)
  }
  if (from.protocol !== undefined && from.protocol !== protocol)
    throw new UsageError('`--from` and `--to` name different protocols')
  if (hasPorts(protocol) && to.port === undefined) throw new UsageError(`\`--to\`: \`${to.text}\` names no port`)
  if (!hasPorts(protocol) && (to.port ?? from.port) !== undefined)
    throw new UsageError('a port is given, and the protocol has none')
  return protocol
}

function checkEnds(from: Place, to: Place, source: FactSource): void {
  if (from.kind === 'service') throw new UsageError('`--from` is a service; packets are sent by pods, hosts and addresses')
  if (typeof from.port === 'string') throw new UsageError("`--from`: a sender's port is a number")
  if (from.kind === 'address' && to.kind === 'address' && from.address.family !== to.address.family) {
    throw new UsageError(
      `\`--from\` is IPv${from.address.family} and \`--to\` is IPv${to.address.family}; a packet has one family`,
    )
  }
  const named = [from, to].find((each) => each.kind !== 'address')
  if (source.kind === 'rules' && named !== undefined) {
    throw new UsageError(`\`${named.text}\` is known to a cluster only; with loose rules, both ends are addresses`)
  }
}

function checkSource(request: TraceRequest, source: FactSource): void {
  if (request.prove && source.kind !== 'live')
    throw new UsageError('`--prove` sends a real packet: it needs a live cluster (`--context`)')
  if (request.hookPath !== undefined && source.kind !== 'rules') {
    throw new UsageError('`--hook-path` is for loose rules; in a cluster, routes decide')
  }
  if (source.kind === 'rules' && (request.lane === 'ebpf' || request.lane === 'both' || request.ebpfSource !== undefined)) {
    throw new UsageError('loose rules have a netfilter lane only')
  }
  if (request.lane === 'netfilter' && request.ebpfSource !== undefined)
    throw new UsageError('`--ebpf-source` has no meaning with `--lane netfilter`')
}

function markOf(text: string): number {
  const mark = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN
  if (!(mark <= 0xffffffff)) throw new UsageError(`\`--mark\`: \`${text}\` is not a 32-bit number`)
  return mark
}
