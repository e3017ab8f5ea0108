// SPDX-License-Identifier: Apache-2.0

/** What a release of Cilium declares its maps to hold: its own C headers, compiled to BTF. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Btf, type BtfType, parseBtf, resolveType, typeSize } from '../../core/ebpf/btf.ts'

export interface Release {
  /** "1.19.6" */
  readonly version: string
  /** Of the Go module, as in go.sum. */
  readonly sum: string
  /** What the headers call the maps of the endpoints' policies. */
  readonly policyMap: string
  /** Programs that declare maps which later releases have in headers. */
  readonly programs: readonly string[]
}

/** A number, or an array, within a key or value. Members of unions overlap. */
export interface Leaf {
  readonly name: string
  /** Bits, from the start of the struct. */
  readonly start: number
  readonly width: number
  /** Its first typedef: "__be16". */
  readonly alias: string | undefined
}

export interface Half {
  readonly size: number
  readonly leaves: readonly Leaf[]
}

export interface DeclaredMap {
  readonly name: string
  readonly key: Half | undefined
  readonly value: Half | undefined
  /** Sizes of the maps within it. */
  readonly inner: { readonly keySize: number; readonly valueSize: number } | undefined
}

const SOURCES = join(import.meta.dirname, '../kernel/cilium')
const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'plumbline', 'cilium-headers')

export const RELEASES: readonly Release[] = JSON.parse(readFileSync(join(SOURCES, 'releases.json'), 'utf8'))

/** Every feature that brings a map. */
const OPTIONS = [
  ...['IPV4', 'IPV6', 'ROUTING', 'HOST_FIREWALL', 'SRV6', 'L7_LB', 'NODEPORT', 'NODEPORT_ACCELERATION', 'DSR', 'VTEP', 'SCTP'],
  ...['MASQUERADE_IPV4', 'MASQUERADE_IPV6', 'IP_MASQ_AGENT_IPV4', 'IP_MASQ_AGENT_IPV6', 'BANDWIDTH_MANAGER', 'EGRESS_GATEWAY'],
  ...['CLUSTER_AWARE_ADDRESSING', 'INTER_CLUSTER_SNAT', 'NAT_46X64', 'MULTICAST', 'WIREGUARD', 'SRC_RANGE_CHECK', 'IPSEC'],
  ...['SESSION_AFFINITY', 'IPV4_FRAGMENTS', 'IPV6_FRAGMENTS', 'LOCAL_REDIRECT_POLICY', 'HEALTH_CHECK', 'L2_ANNOUNCEMENTS'],
  'HIGH_SCALE_IPCACHE',
].map((name) => `-DENABLE_${name}=1`)
const MACROS = [
  ...['-DSKIP_DEBUG=1', '-DPOLICY_VERDICT_NOTIFY=1', '-DMONITOR_AGGREGATION=3', '-DENCAP_IFINDEX=1', '-DTUNNEL_MODE=1'],
  ...['-DPOLICY_ACCOUNTING=1', '-DHAVE_FIB_LOOKUP=1', '-DLB_SELECTION=LB_SELECTION_MAGLEV', '-D__NR_CPUS__=2'],
]

/** Cilium's C sources of a release: taken from its Go module once, and kept beside the lab's things. */
function sourcesOf({ version, sum }: Release): string {
  const kept = join(CACHE, version)
  if (existsSync(kept)) return kept
  const scratch = mkdtempSync(join(tmpdir(), 'cilium-module-'))
  try {
    const environment = (name: string) => execFileSync('go', ['env', name], { encoding: 'utf8' }).trim()
    const local = `file://${environment('GOMODCACHE')}/cache/download`
    const printed = execFileSync('go', ['mod', 'download', '-json', `github.com/cilium/cilium@v${version}`], {
      cwd: scratch,
      encoding: 'utf8',
      env: { ...process.env, GOMODCACHE: scratch, GOFLAGS: '-modcacherw', GOPROXY: `${local},${environment('GOPROXY')}` },
    })
    const module = JSON.parse(printed) as { readonly Dir: string; readonly Sum: string }
    assert.equal(module.Sum, sum, `Cilium ${version} is not the one that is pinned in releases.json`)
    mkdirSync(CACHE, { recursive: true })
    const filling = mkdtempSync(join(CACHE, `.${version}-`))
    cpSync(join(module.Dir, 'bpf'), filling, { recursive: true, filter: (path) => !path.endsWith('/tests') })
    renameSync(filling, kept)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return kept
}

function headerFlags(sources: string): readonly string[] {
  return ['-I', sources, '-I', join(sources, 'include'), '-I', SOURCES, '--target=bpf', '-std=gnu99', '-nostdinc', '-mcpu=v3']
}

/** The maps a release declares, by name. @param folder where object files may be left */
export function declaredMaps(release: Release, clang: string, folder: string): ReadonlyMap<string, DeclaredMap> {
  const sources = sourcesOf(release)
  const units = [join(SOURCES, 'maps.c'), ...release.programs.map((name) => join(sources, name))]
  const maps = new Map<string, DeclaredMap>()
  for (const [index, unit] of units.entries()) {
    const object = objectFile(folder, release, index)
    const names = index === 0 ? [] : ['-include', 'bpf/ctx/unspec.h', '-include', 'node_config.h', '-include', 'names.h']
    execFileSync(clang, [
      ...headerFlags(sources),
      ...[
        '-O1',
        '-g',
        '-w',
        ...OPTIONS,
        ...MACROS,
        `-DPLUMBLINE_POLICY_MAP=${release.policyMap}`,
        ...names,
        '-c',
        unit,
        '-o',
        object,
      ],
    ])
    for (const map of mapsIn(parseBtf(section(readFileSync(object), '.BTF')))) if (!maps.has(map.name)) maps.set(map.name, map)
  }
  return maps
}

/** A program of ours that calls functions of a release's own headers. @param object where it is left */
export function compileWith(release: Release, clang: string, unit: string, macros: readonly string[], object: string): void {
  const sources = sourcesOf(release)
  execFileSync(clang, [
    ...headerFlags(sources),
    ...['-O2', '-g', '-w', `-DPLUMBLINE_POLICY_MAP=${release.policyMap}`, ...macros, '-c', join(SOURCES, unit), '-o', object],
  ])
}

export function objectFile(folder: string, { version }: Release, unit: number): string {
  return join(folder, `${version}-${unit}.o`)
}

/** A section of a 64-bit little-endian ELF file. */
function section(file: Buffer, name: string): Uint8Array {
  const headers = Number(file.readBigUInt64LE(0x28))
  const [size, count, names] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c), file.readUInt16LE(0x3e)]
  const at = (index: number) => {
    const header = file.subarray(headers + index * size)
    const offset = Number(header.readBigUInt64LE(0x18))
    return { name: header.readUInt32LE(0), bytes: file.subarray(offset, offset + Number(header.readBigUInt64LE(0x20))) }
  }
  const strings = at(names).bytes
  for (let index = 0; index < count; index++) {
    const each = at(index)
    if (strings.toString('latin1', each.name, strings.indexOf(0, each.name)) === name) return each.bytes
  }
  throw new Error(`no section ${name}`)
}

function mapsIn(btf: Btf): readonly DeclaredMap[] {
  return btf.flatMap((type) => {
    if (type.kind !== 'variable') return []
    const described = resolveType(btf, type.type)
    if (described.kind !== 'struct' || !described.members.some(({ name }) => name === 'type')) return []
    const inner = member(btf, described, 'values')
    return [
      {
        name: type.name,
        key: half(btf, member(btf, described, 'key')),
        value: half(btf, member(btf, described, 'value')),
        inner: inner === undefined ? undefined : sizesOf(btf, inner),
      },
    ]
  })
}

type Struct = Extract<BtfType, { readonly kind: 'struct' | 'union' }>

/** The type behind a member's pointer, or behind its array of pointers. */
function member(btf: Btf, { members }: Struct, name: string): number | undefined {
  const found = members.find((each) => each.name === name)
  if (found === undefined) return undefined
  const type = resolveType(btf, found.type)
  const pointer = type.kind === 'array' ? resolveType(btf, type.type) : type
  return pointer.kind === 'pointer' ? pointer.type : undefined
}

/** __uint(name, N) is a pointer to an array of N. */
function number(btf: Btf, struct: Struct, name: string): number | undefined {
  const type = member(btf, struct, name)
  const array = type === undefined ? undefined : resolveType(btf, type)
  return array?.kind === 'array' ? array.count : undefined
}

function sizesOf(btf: Btf, id: number): DeclaredMap['inner'] {
  const struct = resolveType(btf, id)
  if (struct.kind !== 'struct') return undefined
  const [key, value] = [member(btf, struct, 'key'), member(btf, struct, 'value')]
  return {
    keySize: number(btf, struct, 'key_size') ?? (key === undefined ? 0 : typeSize(btf, key)),
    valueSize: number(btf, struct, 'value_size') ?? (value === undefined ? 0 : typeSize(btf, value)),
  }
}

function half(btf: Btf, id: number | undefined): Half | undefined {
  if (id === undefined) return undefined
  const leaves: Leaf[] = []
  collect(btf, id, '', 0, leaves)
  return { size: typeSize(btf, id), leaves }
}

function collect(btf: Btf, id: number, name: string, start: number, into: Leaf[]): void {
  const type = resolveType(btf, id)
  if (type.kind !== 'struct' && type.kind !== 'union') {
    const outer = btf[id]
    into.push({
      name,
      start,
      width: 8 * typeSize(btf, id),
      alias: outer?.kind === 'alias' && outer.name !== '' ? outer.name : undefined,
    })
    return
  }
  for (const each of type.members) {
    const path = [name, each.name].filter((part) => part !== '').join('.')
    const from = start + each.bitOffset
    if (each.bitSize > 0) into.push({ name: path, start: from, width: each.bitSize, alias: undefined })
    else collect(btf, each.type, path, from, into)
  }
}
