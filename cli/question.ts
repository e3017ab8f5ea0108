// SPDX-License-Identifier: Apache-2.0

import type { CtState } from '../core/net/packet.ts'
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
  /** Undefined: every lane the facts allow. */
  readonly lane: (typeof LANES)[number] | undefined
  /** Undefined: the best there are facts for. */
  readonly ebpfSource: (typeof EBPF_SOURCES)[number] | undefined
  readonly ctState: CtState
  readonly mark: number
  readonly iif: string | undefined
  /** For loose rules. */
  readonly oif: string | undefined
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
    { name: 'oif', takes: 'value', placeholder: 'DEVICE', help: 'Device it leaves by, for rules without a cluster' },
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
  const to = withProtocolOf(from, place(options, 'to'))
  checkEnds(from, to, source)
  const request: TraceRequest = {
    from,
    to,
    lane: choice(options, 'lane', LANES),
    ebpfSource: choice(options, 'ebpf-source', EBPF_SOURCES),
    ctState: choice(options, 'ct-state', CT_STATES) ?? 'new',
    mark: markOf(options.value('mark') ?? '0'),
    iif: options.value('iif'),
    oif: options.value('oif'),
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

/** Either end may name the protocol. */
function withProtocolOf(from: Place, to: Place): Place {
  if (from.protocol !== undefined && to.protocol !== undefined && from.protocol !== to.protocol) {
    throw new UsageError('`--from` and `--to` name different protocols')
  }
  const protocol = to.protocol ?? from.protocol
  if (protocol !== undefined && !hasPorts(protocol) && (to.port ?? from.port) !== undefined) {
    throw new UsageError('a port is given, and the protocol has none')
  }
  return { ...to, protocol }
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
    throw new UsageError(`\`${named.text}\` is known to a cluster only; with the rules of one machine, both ends are addresses`)
  }
}

function checkSource(request: TraceRequest, source: FactSource): void {
  if (request.prove && source.kind !== 'live')
    throw new UsageError('`--prove` sends a real packet: it needs a live cluster (`--context`)')
  if (source.kind !== 'rules' && (request.hookPath !== undefined || request.oif !== undefined)) {
    throw new UsageError(
      `\`--${request.oif === undefined ? 'hook-path' : 'oif'}\` is for rules without a cluster; in a cluster, routes decide`,
    )
  }
  const wantsEbpf = (request.lane ?? 'netfilter') !== 'netfilter' || request.ebpfSource !== undefined
  if (source.kind === 'rules' && source.objects.length === 0 && wantsEbpf) {
    throw new UsageError('rules alone have a netfilter lane only; with `--objects`, an eBPF lane can be planned')
  }
  if (request.lane === 'netfilter' && request.ebpfSource !== undefined)
    throw new UsageError('`--ebpf-source` has no meaning with `--lane netfilter`')
}

function markOf(text: string): number {
  const mark = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN
  if (!(mark <= 0xffffffff)) throw new UsageError(`\`--mark\`: \`${text}\` is not a 32-bit number`)
  return mark
}
