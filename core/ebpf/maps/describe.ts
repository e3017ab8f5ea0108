// SPDX-License-Identifier: Apache-2.0

import { networkBits } from './network.ts'
import type { MapTable, TableColumn } from './table.ts'
import { translated, uncross } from './tuple.ts'

/** What an entry is about, in one phrase, and the columns that it says already. */
export interface Description {
  readonly heading: string
  readonly covers: ReadonlySet<TableColumn>
  text(row: number): string
}

/** Of tables whose keys are more than the sum of their columns: tuples, networks, ranges of ports. */
export function describe(table: MapTable): Description | undefined {
  if (table.layout === undefined) return undefined
  return tuples(table, table.layout.group) ?? policyEntries(table) ?? networks(table)
}

function take(table: MapTable, side: 'key' | 'value', names: readonly string[]): readonly TableColumn[] | undefined {
  const found = names.map((name) => table.columns.find((column) => column.side === side && column.name === name))
  return found.every((column) => column !== undefined) ? found : undefined
}

function tuples(table: MapTable, group: string): Description | undefined {
  const columns = take(table, 'key', ['daddr', 'saddr', 'dport', 'sport', 'protocol', 'flags'])
  if (columns === undefined) return undefined
  const [daddr, saddr, dport, sport, protocol, flags] = columns
  const nat = group === 'nat' ? take(table, 'value', ['address', 'port']) : undefined
  return {
    heading: 'connection',
    covers: new Set([...columns, ...(nat ?? [])]),
    text(row) {
      const raw = {
        daddr: String(daddr?.cell(row).value),
        saddr: String(saddr?.cell(row).value),
        dport: Number(dport?.cell(row).value),
        sport: Number(sport?.cell(row).value),
        flags: Number(flags?.cell(row).value),
      }
      const tuple = uncross(raw, group === 'nat' ? 'nat' : 'ct')
      const [address, port] = nat ?? []
      const becomes =
        nat === undefined
          ? ''
          : `, ${translated(tuple.direction, String(address?.cell(row).value), Number(port?.cell(row).value))}`
      const related = tuple.related ? ' related' : ''
      return `${protocol?.cell(row).text} ${tuple.direction} ${tuple.from} -> ${tuple.to}${related}${becomes}`
    },
  }
}

/** Bits of a policy key before its protocol: identity, direction (bpf/lib/policy.h). */
const POLICY_PREFIX = 40

function policyEntries(table: MapTable): Description | undefined {
  const columns = take(table, 'key', ['prefixLength', 'identity', 'direction', 'protocol', 'port'])
  if (columns === undefined) return undefined
  const [prefix, identity, direction, protocol, port] = columns
  return {
    heading: 'rule',
    covers: new Set(columns),
    text(row) {
      const who = identity?.cell(row)
      const peer = who?.value === 0 ? 'anyone' : (who?.name ?? `identity ${who?.value}`)
      const bits = Math.max(0, Number(prefix?.cell(row).value) - POLICY_PREFIX)
      const what = bits === 0 ? 'everything' : `${protocol?.cell(row).text} ${portRange(Number(port?.cell(row).value), bits - 8)}`
      const towards = direction?.cell(row).value === 0 ? 'from' : 'to'
      return `${direction?.cell(row).text} ${towards} ${peer}: ${what}`
    },
  }
}

/** A port of which only the first `bits` bits count. */
function portRange(port: number, bits: number): string {
  if (bits <= 0) return 'any port'
  const last = port | (0xffff >>> Math.min(16, bits))
  return last === port ? String(port) : `${port}-${last}`
}

function networks(table: MapTable): Description | undefined {
  const key = table.columns.filter(({ side }) => side === 'key')
  const prefix = key.find(({ name }) => name === 'prefixLength')
  const address = key.find(({ name }) => ['address', 'source', 'network'].includes(name))
  const field = table.layout?.key.find(({ name }) => name === address?.name)
  if (field === undefined || prefix === undefined || address === undefined || key.some(({ name }) => name === 'destination'))
    return undefined
  const family = key.find(({ name }) => name === 'family')
  return {
    heading: 'network',
    covers: new Set([prefix, address, ...(family === undefined ? [] : [family])]),
    text(row) {
      const { value, name } = address.cell(row)
      const network = `${value}/${networkBits(field, Number(prefix.cell(row).value))}`
      return name === undefined ? network : `${network} (${name})`
    },
  }
}
