// SPDX-License-Identifier: Apache-2.0

/** What eBPF programs a node's packets meet: places, their hooks, and the programs of each in order of execution. */

import type { Device, Netns } from '../facts/netns.ts'
import type { Shape } from '../facts/objectsShape.ts'
import type { NodeSnapshot } from '../facts/snapshot.ts'
import { formatAddress } from '../net/address.ts'
import { type ProgramOwner, programOwner } from './programOwner.ts'

/** Somewhere programs can be attached. */
export interface HookPlace {
  readonly kind: 'interface' | 'cgroup' | 'namespace' | 'kernel'
  /** Interface name, control group path, namespace label; "kernel" for what is attached to no such thing. */
  readonly name: string
  /** Whose it is: the pod at the other end of a veth, or in a control group or namespace. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined
  /** Only of interfaces. */
  readonly device: HookDevice | undefined
  readonly points: readonly HookPoint[]
}

export interface HookDevice {
  /** rtnl_link kind; "physical" for those that have none. */
  readonly kind: string
  readonly ifindex: number
  readonly up: boolean
  readonly addresses: readonly string[]
  /** "host", or the namespace's label. */
  readonly netns: string
}

export interface HookPoint {
  /** As bpf/links.json calls it: "tcx_ingress", "cgroup_connect4". */
  readonly attach: string
  /** In order of execution. */
  readonly programs: readonly HookProgram[]
}

export interface HookProgram {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly tag: string
  readonly owner: ProgramOwner
  /** RFC 3339. */
  readonly loadedAt: string | undefined
  /** Where the kernel counts (kernel.bpf_stats_enabled). */
  readonly runs: { readonly count: number; readonly nanoseconds: number } | undefined
  readonly mapIds: readonly number[]
  readonly pins: readonly string[]
  /** Traced function, netfilter hook, or what a classic tc filter is called. */
  readonly target: string | undefined
  /** Undefined for attachments without a link, as classic tc filters are. */
  readonly linkId: number | undefined
  /** The attachment in the snapshot. */
  readonly evidence: { readonly file: string; readonly pointer: string }
}

/** Hooks of an interface in the order a packet meets them (net/core/dev.c: XDP, then tcx, then clsact), others by name. */
const ORDER: readonly string[] = [
  'xdp',
  'xdp_driver',
  'xdp_generic',
  'xdp_offload',
  'netkit_primary',
  'netkit_peer',
  'tcx_ingress',
  'tc_ingress',
  'tcx_egress',
  'tc_egress',
]

const KINDS: readonly HookPlace['kind'][] = ['interface', 'cgroup', 'namespace', 'kernel']

export function nodeHooks(snapshot: NodeSnapshot): readonly HookPlace[] {
  const known = new Programs(snapshot)
  const places = new Map<string, Attached[]>()
  for (const [index, link] of snapshot.shape('bpf/links.json').items().entries()) {
    const attached = readAttachment(link, index)
    if (attached === undefined) continue
    const key = placeKey(attached)
    places.set(key, [...(places.get(key) ?? []), attached])
  }
  const used = [...places.values()].map((attached) => place(snapshot, known, attached))
  const names = new Set(used.filter(({ kind }) => kind === 'interface').map((each) => deviceKey(each.device)))
  const idle = [...(snapshot.host?.devices ?? [])]
    .map((device) => devicePlace(snapshot, snapshot.host, device, []))
    .filter((each) => !names.has(deviceKey(each.device)))
  return [...used, ...idle].sort(byPlace)
}

interface Attached {
  readonly attach: string
  readonly programId: number
  readonly linkId: number | undefined
  readonly netns: string
  readonly ifindex: number | undefined
  readonly cgroup: string | undefined
  readonly target: string | undefined
  readonly position: number
  /** In its file: the agent lists what it knows no order of by id. */
  readonly index: number
  readonly evidence: HookProgram['evidence']
}

function readAttachment(link: Shape, index: number): Attached | undefined {
  const attach = link.field('attach').text()
  const programId = link.field('programId').integer(0)
  if (attach === undefined || programId === undefined) return undefined
  const id = link.field('id').integer(0) ?? 0
  return {
    attach,
    programId,
    linkId: id === 0 ? undefined : id,
    netns: link.field('netns').text() ?? '',
    ifindex: link.field('ifindex').integer(1),
    cgroup: link.field('cgroup').text(),
    target: link.field('target').text(),
    position: link.field('position').integer(0) ?? Number.MAX_SAFE_INTEGER,
    index,
    evidence: { file: link.file, pointer: link.pointer },
  }
}

function placeKey({ netns, ifindex, cgroup }: Attached): string {
  if (cgroup !== undefined) return `cgroup ${cgroup}`
  return ifindex === undefined ? `netns ${netns}` : `device ${netns} ${ifindex}`
}

function place(snapshot: NodeSnapshot, known: Programs, attached: readonly Attached[]): HookPlace {
  const points = pointsOf(known, attached)
  const [{ netns, ifindex, cgroup } = { netns: '', ifindex: undefined, cgroup: undefined }] = attached
  const pods = (list: Netns['pods'] | undefined) => list?.[0]
  if (cgroup !== undefined) return { kind: 'cgroup', name: cgroup, pod: known.podOfCgroup(cgroup), device: undefined, points }
  const namespace = snapshot.netns.get(netns)
  if (ifindex === undefined) {
    if (netns === '') return { kind: 'kernel', name: 'kernel', pod: undefined, device: undefined, points }
    return { kind: 'namespace', name: namespace?.label ?? netns, pod: pods(namespace?.pods), device: undefined, points }
  }
  const device = namespace?.devices.at(ifindex)
  if (device !== undefined) return devicePlace(snapshot, namespace, device, points)
  const gone: HookDevice = { kind: '', ifindex, up: false, addresses: [], netns: namespace?.label ?? netns }
  return { kind: 'interface', name: `interface ${ifindex}`, pod: pods(namespace?.pods), device: gone, points }
}

function devicePlace(
  snapshot: NodeSnapshot,
  namespace: Netns | undefined,
  device: Device,
  points: readonly HookPoint[],
): HookPlace {
  const peer = device.peerNetns === undefined ? undefined : snapshot.netns.get(device.peerNetns)
  const netns = namespace?.label ?? 'host'
  const isHost = namespace === snapshot.host
  return {
    kind: 'interface',
    name: device.ifname,
    pod: isHost ? (peer === snapshot.host ? undefined : peer?.pods[0]) : namespace?.pods[0],
    device: {
      kind: device.kind === '' ? 'physical' : device.kind,
      ifindex: device.ifindex,
      up: device.flags.includes('up'),
      addresses: (namespace?.addresses ?? [])
        .filter(({ ifindex }) => ifindex === device.ifindex)
        .map(({ address }) => formatAddress(address)),
      netns,
    },
    points,
  }
}

function pointsOf(known: Programs, attached: readonly Attached[]): readonly HookPoint[] {
  return [...new Set(attached.map(({ attach }) => attach))]
    .map((attach) => ({
      attach,
      programs: attached
        .filter((each) => each.attach === attach)
        .sort((a, b) => a.position - b.position || a.index - b.index)
        .map((each) => known.program(each)),
    }))
    .sort((a, b) => rank(a.attach) - rank(b.attach) || compareText(a.attach, b.attach))
}

function rank(attach: string): number {
  const at = ORDER.indexOf(attach)
  return at < 0 ? ORDER.length : at
}

/** The host's interfaces first, in the kernel's order; what carries a program before what carries none would hide the order. */
function byPlace(a: HookPlace, b: HookPlace): number {
  return (
    KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
    Number(a.device?.netns !== 'host') - Number(b.device?.netns !== 'host') ||
    compareText(a.device?.netns ?? '', b.device?.netns ?? '') ||
    (a.device?.ifindex ?? 0) - (b.device?.ifindex ?? 0) ||
    compareText(a.name, b.name)
  )
}

function deviceKey(device: HookDevice | undefined): string {
  return `${device?.netns} ${device?.ifindex}`
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** What the snapshot says of programs, pins and control groups, by id and path. */
class Programs {
  readonly #programs: ReadonlyMap<number, Shape>
  readonly #pins: ReadonlyMap<string, readonly string[]>
  readonly #pods: ReadonlyMap<string, { readonly namespace: string; readonly name: string }>

  constructor(snapshot: NodeSnapshot) {
    this.#programs = new Map(
      snapshot
        .shape('bpf/programs.json')
        .items()
        .map((program) => [program.field('id').integer() ?? -1, program]),
    )
    const pins = new Map<string, string[]>()
    for (const pin of snapshot.shape('bpf/pins.json').items()) {
      const path = pin.field('path').text()
      if (path === undefined) continue
      const key = `${pin.field('kind').text()} ${pin.field('id').integer()}`
      pins.set(key, [...(pins.get(key) ?? []), path])
    }
    this.#pins = pins
    this.#pods = new Map(
      snapshot
        .shape('pods.json')
        .field('pods')
        .items()
        .flatMap((pod) => {
          const namespace = pod.field('namespace').text() ?? ''
          const name = pod.field('name').text() ?? ''
          return pod
            .field('cgroups')
            .texts()
            .map((path) => [path, { namespace, name }] as const)
        }),
    )
  }

  /** Container paths are told below the node's own root, attachments below the machine's. */
  podOfCgroup(path: string): HookPlace['pod'] {
    for (const [cgroup, pod] of this.#pods) if (cgroup !== '' && (path === cgroup || path.endsWith(cgroup))) return pod
    return undefined
  }

  program({ programId, linkId, target, cgroup, evidence }: Attached): HookProgram {
    const shape = this.#programs.get(programId)
    const text = (field: string) => shape?.field(field).text() ?? ''
    const mapIds =
      shape
        ?.field('mapIds')
        .items()
        .flatMap((item) => item.integer(0) ?? []) ?? []
    const pins = [...this.#of('program', programId), ...(linkId === undefined ? [] : this.#of('link', linkId))]
    const name = text('name') || target || ''
    const hints = { name, type: text('type'), own: shape?.field('own').flag() ?? false, pins, cgroup }
    return {
      id: programId,
      name: name === '' ? `program ${programId}` : name,
      type: text('type'),
      tag: text('tag'),
      owner: programOwner({ ...hints, mapPins: mapIds.flatMap((id) => this.#of('map', id)) }),
      loadedAt: shape?.field('loadedAt').text(),
      runs: runsOf(shape),
      mapIds,
      pins,
      target,
      linkId,
      evidence,
    }
  }

  #of(kind: string, id: number): readonly string[] {
    return this.#pins.get(`${kind} ${id}`) ?? []
  }
}

function runsOf(shape: Shape | undefined): HookProgram['runs'] {
  const count = Number(shape?.field('runCount').text() ?? Number.NaN)
  const nanoseconds = Number(shape?.field('runNanoseconds').text() ?? Number.NaN)
  return Number.isFinite(count) && Number.isFinite(nanoseconds) ? { count, nanoseconds } : undefined
}
