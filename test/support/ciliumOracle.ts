// SPDX-License-Identifier: Apache-2.0

/** Compares decoded maps with what Cilium's own `cilium-dbg bpf … -o json` prints of them. */

import assert from 'node:assert/strict'
import type { MapTable } from '../../core/ebpf/maps/table.ts'
import { formatEndpoint, parseAddress } from '../../core/net/address.ts'

/** Output of `cilium-dbg bpf WHAT -o json`, by "lb", "ct", … as the recordings name them. */
export type Printed = (what: string) => unknown
/** The table of a pinned map. */
export type Tables = (name: string) => MapTable
/** Values by "key.field" and "value.field". */
type Row = Readonly<Record<string, number | bigint | string>>
type Lines = Readonly<Record<string, readonly string[]>>

function rows(table: MapTable): readonly Row[] {
  return Array.from({ length: table.count }, (_, row) =>
    Object.fromEntries(table.columns.map((column) => [`${column.side}.${column.name}`, column.cell(row).value])),
  )
}

function texts(table: MapTable, row: number, name: string): string {
  return table.columns.find((column) => `${column.side}.${column.name}` === name)?.cell(row).text ?? ''
}

function endpoint(address: unknown, port: unknown): string {
  const parsed = parseAddress(String(address))
  assert.ok(parsed, `no address: ${address}`)
  return formatEndpoint(parsed, Number(port))
}

/** Every frontend and slot, with its backend and reverse NAT index. Returns how many. */
export function checkServices(printed: Printed, tables: Tables): number {
  const lines = printed('lb') as Lines
  const seen = new Set<string>()
  for (const family of [4, 6]) {
    const backends = new Map(rows(tables(`cilium_lb${family}_backends_v3`)).map((row) => [row['key.id'], row]))
    const table = tables(`cilium_lb${family}_services_v2`)
    for (const [index, row] of rows(table).entries()) {
      const scope = row['key.scope'] === 1 ? '/i' : ''
      const frontend = `${endpoint(row['key.address'], row['key.port'])}/${texts(table, index, 'key.protocol')}${scope} (${row['key.slot']})`
      const line = lines[frontend]?.find((each) => each.includes(`(${row['value.revNat']}) (${row['key.slot']})`))
      assert.ok(line, `Cilium prints nothing for ${frontend}: ${JSON.stringify(lines[frontend])}`)
      if (row['key.slot'] !== 0) {
        const backend = backends.get(row['value.backend'] ?? 0)
        assert.ok(backend, `no backend ${row['value.backend']}`)
        assert.ok(line.startsWith(endpoint(backend['value.address'], backend['value.port'])), `${frontend}: ${line}`)
      }
      seen.add(frontend)
    }
  }
  assert.deepEqual([...seen].sort(), Object.keys(lines).sort())
  return seen.size
}

export function checkIpcache(printed: Printed, tables: Tables): number {
  const ours = Object.fromEntries(
    rows(tables('cilium_ipcache_v2')).map((row) => [
      `${row['key.address']}/${Number(row['key.prefixLength']) - 32}`,
      `identity=${row['value.identity']} encryptkey=${row['value.encryptKey']} tunnelendpoint=${row['value.tunnel']}`,
    ]),
  )
  const theirs = Object.fromEntries(
    Object.entries(printed('ipcache') as Lines).map(([network, [line = '']]) => [network, line.replace(/ flags=.*/, '')]),
  )
  assert.deepEqual(ours, theirs)
  return Object.keys(ours).length
}

export function checkEndpoints(printed: Printed, tables: Tables): number {
  const ours = Object.fromEntries(
    rows(tables('cilium_lxc')).map((row) => [
      `${row['key.address']}:0`,
      Number(row['value.flags']) & 1
        ? '(localhost)'
        : `id=${row['value.endpoint']} sec_id=${row['value.identity']} ifindex=${row['value.ifindex']} mac=${row['value.mac']} nodemac=${row['value.nodeMac']}`,
    ]),
  )
  const theirs = Object.fromEntries(
    Object.entries(printed('endpoints') as Lines).map(([address, [line = '']]) => {
      const fields = /id=(\d+) +sec_id=(\d+) .*ifindex=(\d+) +mac=(\S+) +nodemac=(\S+)/.exec(line)
      if (fields === null) return [address, line]
      const [, id, identity, ifindex, mac = '', nodeMac = ''] = fields
      return [address, `id=${id} sec_id=${identity} ifindex=${ifindex} mac=${mac.toLowerCase()} nodemac=${nodeMac.toLowerCase()}`]
    }),
  )
  assert.deepEqual(ours, theirs)
  return Object.keys(ours).length
}

interface PrintedPolicy {
  readonly EndpointID: string
  readonly Content: readonly {
    readonly Flags: number
    readonly Precedence: number
    readonly ProxyPortNetwork: number
    readonly Key: {
      readonly Prefixlen: number
      readonly Identity: number
      readonly TrafficDirection: number
      readonly Nexthdr: number
      readonly DestPortNetwork: number
    }
  }[]
}

export function checkPolicies(printed: Printed, tables: Tables): number {
  let entries = 0
  for (const { EndpointID, Content } of printed('policy') as readonly PrintedPolicy[]) {
    const ours = rows(tables(`cilium_policy_v2_${EndpointID.padStart(5, '0')}`)).map((row) =>
      ['key.prefixLength', 'key.identity', 'key.direction', 'key.protocol', 'key.port', 'value.deny', 'value.precedence']
        .map((name) => row[name])
        .join(' '),
    )
    const theirs = Content.map(({ Key, Flags, Precedence }) =>
      [Key.Prefixlen, Key.Identity, Key.TrafficDirection, Key.Nexthdr, swap(Key.DestPortNetwork), Flags & 1, Precedence].join(
        ' ',
      ),
    )
    assert.deepEqual(ours.sort(), theirs.sort(), `endpoint ${EndpointID}`)
    entries += ours.length
  }
  return entries
}

interface PrintedConnection {
  readonly Key: {
    readonly DestAddr: readonly number[]
    readonly SourceAddr: readonly number[]
    readonly DestPort: number
    readonly SourcePort: number
    readonly NextHeader: number
    readonly Flags: number
  }
  readonly Value: { readonly RevNAT: number; readonly SourceSecurityID: number }
}

/** Connections come and go between two readings: those in both must agree. Returns how many were in both, and in ours. */
export function checkConnections(printed: Printed, tables: Tables): { readonly both: number; readonly ours: number } {
  const name = (key: readonly unknown[]) => key.join(' ')
  const theirs = new Map(
    (printed('ct') as readonly PrintedConnection[])
      .filter(({ Key }) => Key.DestAddr.length === 4)
      .map(({ Key, Value }) => [
        name([
          Key.DestAddr.join('.'),
          Key.SourceAddr.join('.'),
          swap(Key.DestPort),
          swap(Key.SourcePort),
          Key.NextHeader,
          Key.Flags,
        ]),
        `${swap(Value.RevNAT)} ${Value.SourceSecurityID}`,
      ]),
  )
  let both = 0
  let ours = 0
  for (const map of ['cilium_ct4_global', 'cilium_ct_any4_global']) {
    for (const row of rows(tables(map))) {
      const key = name(['daddr', 'saddr', 'dport', 'sport', 'protocol', 'flags'].map((field) => row[`key.${field}`]))
      const value = theirs.get(key)
      ours++
      if (value === undefined) continue
      both++
      assert.equal(`${row['value.revNat']} ${row['value.sourceIdentity']}`, value, `${map}: ${key}`)
    }
  }
  return { both, ours }
}

/** Cilium prints ports in network order, as a little-endian machine reads them. */
function swap(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}
