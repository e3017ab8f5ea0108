// SPDX-License-Identifier: Apache-2.0

/**
 * The judge of the map layouts of every release: what Cilium's own headers declare. Sizes, and offset, width and byte order of every
 * field must agree, and no number of Cilium's may be without a field.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CILIUM_LAYOUTS } from '../../core/ebpf/maps/cilium.ts'
import { datalessTitle } from '../../core/ebpf/maps/ciliumMaps.ts'
import { findLayout } from '../../core/ebpf/maps/find.ts'
import type { Field, MapLayout } from '../../core/ebpf/maps/layout.ts'
import {
  type DeclaredMap,
  declaredMaps,
  type Half,
  type Leaf,
  objectFile,
  RELEASES,
  type Release,
} from '../support/ciliumHeaders.ts'

const CLANG = ['clang-19', 'clang'].find((name) => spawnSync(name, ['--version']).error === undefined)
const tools = ['go', 'bpftool'].find((name) => spawnSync(name, ['version']).error !== undefined)
const skip = CLANG === undefined ? 'skipped: needs clang' : tools === undefined ? false : `skipped: needs ${tools}`

/** Rows that no header of theirs declares: why, and who judges them instead. */
const UNDECLARED: readonly { readonly name: RegExp; readonly minors?: readonly number[]; readonly why: string }[] = [
  { name: /^cilium_lb[46]_backends_v2$/, why: 'left by an older release; read while the agent migrates it' },
  { name: /^cilium_lb_fct$/, why: 'the programs do not know it; the Go types judge it' },
  { name: /^cilium_cidr_v[46]_(fix|dyn)$/, why: 'in bpf_xdp.c, with the structs of cilium_ipmasq_v4 and _v6' },
  { name: /^cilium_skip_lb6$/, minors: [16], why: '1.16.0 has IPv4 only' },
]

/** What compilers and programs keep for themselves. */
const SCRATCH = /_storage$|^cilium_(tail_call_buffer|xdp_scratch)|^per_cluster_|^cilium_calls$/
const PADDING = /(^|\.)(pad\w*|reserved\d*|unused|data|_)$/

const minor = ({ version }: Release) => Number(version.split('.')[1])
const rowsOf = (release: Release) =>
  CILIUM_LAYOUTS.filter(({ versions }) => versions.first <= minor(release) && minor(release) <= versions.last)

/** The variable that declares a row's map; for a map within a map, the outer one. */
function variableOf(layout: MapLayout, release: Release): string {
  if (layout.of === 'endpoint') return release.policyMap
  if (layout.name === 'cilium_mcast_subscriber_v4_inner') return 'cilium_mcast_group_outer_v4_map'
  if (layout.name === 'cilium_maglev_inner') return 'cilium_lb4_maglev'
  return layout.name.replace(/_inner$|_$/, '')
}

const isWithin = (layout: MapLayout) => layout.inner === true || layout.of === 'cluster'

const SIZES: Readonly<Record<string, number>> = {
  ...{ u8: 1, u16: 2, be16: 2, u32: 4, i32: 4, be32: 4, ipv4: 4, mac: 6, u64: 8, ip: 16, ipv6: 16 },
}
const NETWORK_ORDER = new Set(['be16', 'be32', 'ipv4', 'ipv6', 'ip'])

function rangeOf({ offset, type, size, bits }: Field): { readonly start: number; readonly end: number } {
  const start = 8 * offset + (bits?.shift ?? 0)
  return { start, end: start + (bits?.width ?? 8 * (size ?? SIZES[type] ?? 0)) }
}

const endOf = ({ start, width }: Leaf) => start + width

/** A MAC may be declared as a number of 8 bytes. */
const MAC_NUMBER = 64

/** What is wrong with a field, if anything. */
function judge(field: Field, leaves: readonly Leaf[]): string | undefined {
  const { start, end } = rangeOf(field)
  const exact = leaves.filter((leaf) => leaf.start === start && endOf(leaf) === end)
  // Flags may be declared bit by bit, or byte by byte.
  const within = field.type === 'mac' && leaves.some((leaf) => leaf.start === start && leaf.width === MAC_NUMBER)
  const tiled =
    field.flags !== undefined && leaves.some((leaf) => leaf.start === start) && leaves.some((leaf) => endOf(leaf) === end)
  if (exact.length === 0 && !within && !tiled) return `nothing lies at bits ${start} to ${end}`
  const inNetworkOrder = exact.some(({ alias }) => alias?.startsWith('__be') ?? false)
  if (inNetworkOrder && !NETWORK_ORDER.has(field.type)) return `is in network order, not ${field.type}`
  return wrongFlags(field, leaves)
}

/** Of bits that the headers name one by one, those with a name must be ours, and the padding must not. */
function wrongFlags(field: Field, leaves: readonly Leaf[]): string | undefined {
  const { start, end } = rangeOf(field)
  const single = leaves.filter((leaf) => leaf.width === 1 && leaf.start >= start && endOf(leaf) <= end)
  const wrong =
    field.flags === undefined
      ? undefined
      : single.find((leaf) => (field.flags?.[leaf.start - start] != null) === PADDING.test(leaf.name))
  return wrong === undefined ? undefined : `bit ${wrong.start - start} is ${wrong.name} to Cilium`
}

function uncovered(fields: readonly Field[], { leaves }: Half): readonly string[] {
  const ranges = fields.map((field) => {
    const { start, end } = rangeOf(field)
    return { start, end: field.type === 'mac' ? start + MAC_NUMBER : end }
  })
  const isCovered = (leaf: Leaf) => {
    for (let bit = leaf.start; bit < endOf(leaf); bit += 8) {
      if (!ranges.some(({ start, end }) => start <= bit && bit < end)) return false
    }
    return true
  }
  return leaves
    .filter((leaf) => leaf.width > 0 && !PADDING.test(leaf.name) && !isCovered(leaf))
    .map(({ name, start }) => `${name}@${start / 8}`)
}

interface Count {
  maps: number
  fields: number
}

function judgeRow(layout: MapLayout, declared: DeclaredMap, release: Release, count: Count): readonly string[] {
  const wrong: string[] = []
  const where = `${layout.name} of ${release.version}`
  if (isWithin(layout)) {
    const { keySize, valueSize } = layout
    const sizes = declared.inner
    const isTable = layout.value[0]?.type === 'u32s'
    const sameValue = isTable ? (sizes?.valueSize ?? 1) % valueSize === 0 : sizes?.valueSize === valueSize
    if (sizes === undefined || sizes.keySize !== keySize || !sameValue)
      wrong.push(`${where}: ${keySize} and ${valueSize} bytes, declared with ${JSON.stringify(sizes)}`)
    count.maps++
    return wrong
  }
  for (const [side, half, size] of [
    ['key', declared.key, layout.keySize],
    ['value', declared.value, layout.valueSize],
  ] as const) {
    assert.ok(half, `${where} is declared without a type of its ${side}s`)
    if (half.size !== size) wrong.push(`${where}: ${side}s of ${size} bytes, declared with ${half.size}`)
    for (const field of layout[side]) {
      const problem = judge(field, half.leaves)
      if (problem !== undefined) wrong.push(`${where}, ${side}.${field.name}: ${problem}`)
      count.fields++
    }
    for (const leaf of uncovered(layout[side], half)) wrong.push(`${where}: its ${side} has ${leaf}, which no field shows`)
  }
  count.maps++
  return wrong
}

describe("Cilium's headers declare, Plumbline reads", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-layouts-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const count: Count = { maps: 0, fields: 0 }

  for (const release of RELEASES) {
    test(`Cilium ${release.version}`, (context) => {
      const declared = declaredMaps(release, CLANG ?? '', folder)
      const wrong: string[] = []
      const before = { ...count }
      for (const layout of rowsOf(release)) {
        const map = declared.get(variableOf(layout, release))
        const excuse = UNDECLARED.find(({ name, minors }) => name.test(layout.name) && (minors?.includes(minor(release)) ?? true))
        if (map !== undefined && excuse === undefined) wrong.push(...judgeRow(layout, map, release, count))
        else if (excuse === undefined) wrong.push(`${layout.name} is not declared by ${release.version}`)
        else context.diagnostic(`not judged by headers: ${layout.name}: ${excuse.why}`)
      }
      for (const { name } of declared.values()) {
        const known = rowsOf(release).some((layout) => variableOf(layout, release) === name)
        if (!known && !SCRATCH.test(name) && datalessTitle(name) === undefined) wrong.push(`${name} has no layout`)
      }
      assert.deepEqual(wrong, [])
      context.diagnostic(`${count.maps - before.maps} maps, ${count.fields - before.fields} fields`)
    })
  }

  test('bpftool reads the same structs out of the same objects', () => {
    const release = RELEASES.at(-1)
    assert.ok(release)
    const declared = declaredMaps(release, CLANG ?? '', folder)
    const theirs = structSizes(objectFile(folder, release, 0))
    const compared = rowsOf(release).filter((layout) => {
      const map = declared.get(variableOf(layout, release))
      const [key, value] = theirs.get(variableOf(layout, release)) ?? []
      if (map === undefined || key === undefined || value === undefined) return false
      assert.deepEqual([map.key?.size, map.value?.size], [key, value], layout.name)
      return true
    })
    assert.ok(compared.length > 40, `${compared.length}`)
  })

  test('all of it was judged', () => {
    assert.ok(count.maps > 300 && count.fields > 1_500, JSON.stringify(count))
  })

  test('each row is found by its name, sizes and release', () => {
    for (const layout of CILIUM_LAYOUTS) {
      const name = layout.prefix ? `${layout.name}00042` : layout.name
      const { keySize, valueSize, versions } = layout
      assert.equal(findLayout({ name, keySize, valueSize }, versions), layout, `${name} ${JSON.stringify(versions)}`)
    }
  })
})

interface BpftoolType {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly type_id?: number
  readonly size?: number
  readonly nr_elems?: number
  readonly members?: readonly { readonly name: string; readonly type_id: number }[]
}

/** Sizes of the types of keys and values, by the variable that declares a map. */
function structSizes(object: string): ReadonlyMap<string, readonly [number, number]> {
  const printed = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', object], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  const types = new Map((JSON.parse(printed) as { types: readonly BpftoolType[] }).types.map((type) => [type.id, type]))
  const resolved = (id: number | undefined): BpftoolType | undefined => {
    const type = types.get(id ?? 0)
    return type !== undefined && ['TYPEDEF', 'CONST', 'VOLATILE'].includes(type.kind) ? resolved(type.type_id) : type
  }
  const sizeOf = (id: number | undefined): number => {
    const type = resolved(id)
    return type?.kind === 'ARRAY' ? (type.nr_elems ?? 0) * sizeOf(type.type_id) : (type?.size ?? 0)
  }
  const found = new Map<string, readonly [number, number]>()
  for (const type of types.values()) {
    if (type.kind !== 'VAR') continue
    const pointer = (name: string) =>
      resolved(resolved(type.type_id)?.members?.find((each) => each.name === name)?.type_id)?.type_id
    const [key, value] = [pointer('key'), pointer('value')]
    if (key !== undefined && value !== undefined) found.set(type.name, [sizeOf(key), sizeOf(value)])
  }
  return found
}
