// SPDX-License-Identifier: Apache-2.0

import type { FlowFilter } from './filter.ts'
import { END_FLAGS, FIELD_FLAGS } from './flagNames.ts'

type Filter = { -readonly [K in keyof FlowFilter]?: unknown[] }

/**
 * Collects flags into filters as the hubble client does (hubble/cmd/observe/flows_filter.go): two filters, of which what is asked
 * of either end goes to the source in the left one and to the destination in the right one.
 */
export class FlagTracker {
  #left: Filter | undefined
  #right: Filter | undefined
  readonly #namespaces: Readonly<Record<'either' | 'source' | 'destination', string[]>> = {
    either: [],
    source: [],
    destination: [],
  }
  readonly #used = new Set<string>()

  /** @throws Error for a value that is wrong, or a flag that can't stand beside another. */
  set(flag: string, value: string): void {
    this.#used.add(flag)
    this.#checkCombination(flag)
    const field = FIELD_FLAGS.find((each) => each.flag === flag)
    const ends = END_FLAGS.find((each) => each.flag === flag)
    if (field !== undefined) {
      const read = field.read(value)
      add(this.#leftFilter(), field.field, read)
      add(this.#rightFilter(), field.field, read)
    } else if (ends !== undefined) {
      add(this.#leftFilter(), ends.source.field, ends.source.read(value))
      add(this.#rightFilter(), ends.destination.field, ends.destination.read(value))
    } else this.#namespace(flag, value)
    for (const filter of [this.#left, this.#right]) if (filter !== undefined) this.#checkNamespaces(filter)
  }

  /** The filters as far as flags have been given, without namespaces. */
  asked(): readonly FlowFilter[] {
    return [this.#left ?? {}, this.#right ?? {}] as FlowFilter[]
  }

  filters(): readonly FlowFilter[] {
    if (this.#used.size === 0) return []
    const { either, source, destination } = this.#namespaces
    const [left, right] = [this.#left, this.#right].map((filter) => structuredClone(filter ?? {})) as [Filter, Filter]
    for (const filter of [left, right]) {
      inNamespaces(filter, 'destination', destination)
      inNamespaces(filter, 'source', source)
    }
    inNamespaces(left, 'source', either)
    inNamespaces(right, 'destination', either)
    return sameFilter(left, right) ? [left as FlowFilter] : [left as FlowFilter, right as FlowFilter]
  }

  #namespace(flag: string, value: string): void {
    const end = flag.startsWith('from-') ? 'source' : flag.startsWith('to-') ? 'destination' : 'either'
    this.#namespaces[end].push(flag.endsWith('all-namespaces') ? '' : value)
  }

  #leftFilter(): Filter {
    this.#left ??= {}
    return this.#left
  }

  #rightFilter(): Filter {
    this.#right ??= {}
    return this.#right
  }

  #checkCombination(flag: string): void {
    for (const group of EXCLUSIVE) {
      const other = group.includes(flag) ? group.find((each) => each !== flag && this.#used.has(each)) : undefined
      if (other !== undefined) throw new Error(`\`--${flag}\` and \`--${other}\` can't be combined`)
    }
  }

  #checkNamespaces(filter: Filter): void {
    const { either, source, destination } = this.#namespaces
    for (const [end, namespaces] of [
      ['source', [...either, ...source]],
      ['destination', [...either, ...destination]],
    ] as const) {
      const pods = texts(filter[`${end}Pod`])
      const services = texts(filter[`${end}Service`])
      for (const namespace of namespaces)
        for (const name of [...pods, ...services])
          if (!['', namespace].includes(namespaceOf(name)))
            throw new Error(`\`${name}\` is not in the namespace \`${namespace}\``)
      for (const pod of pods)
        for (const service of services)
          if (namespaceOf(pod) !== '' && namespaceOf(pod) !== namespaceOf(service))
            throw new Error(`the service \`${service}\` is not in the namespace of the pod \`${pod}\``)
    }
  }
}

/** Flags of which only one may be used. */
const EXCLUSIVE: readonly (readonly string[])[] = [
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-namespace', 'namespace', 'from-all-namespaces', 'all-namespaces'],
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-pod', 'pod'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-namespace', 'namespace', 'to-all-namespaces', 'all-namespaces'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-pod', 'pod'],
  ['to-pod', 'namespace', 'all-namespaces'],
  ['from-pod', 'namespace', 'all-namespaces'],
  ['to-service', 'namespace', 'all-namespaces'],
  ['from-service', 'namespace', 'all-namespaces'],
  ...['label', 'service', 'port', 'identity', 'workload'].flatMap((flag) => [
    [flag, `from-${flag}`],
    [flag, `to-${flag}`],
  ]),
  ['encrypted', 'unencrypted'],
]

function add(filter: Filter, field: keyof FlowFilter, value: unknown): void {
  const values = filter[field]
  if (values === undefined) filter[field] = [value]
  else values.push(value)
}

/** Namespaces go in front of names that have none of their own; without names, every pod of them is asked for. */
function inNamespaces(filter: Filter, end: 'source' | 'destination', namespaces: readonly string[]): void {
  if (namespaces.length === 0) return
  const [pod, service] = [`${end}Pod`, `${end}Service`] as const
  if (filter[pod] === undefined && filter[service] === undefined) filter[pod] = ['']
  for (const field of [pod, service] as const) {
    const names = filter[field]
    if (names === undefined) continue
    filter[field] = texts(names).flatMap((name) =>
      name.includes('/') ? [name] : namespaces.map((namespace) => `${namespace}/${name}`),
    )
  }
}

function namespaceOf(name: string): string {
  const slash = name.indexOf('/')
  return slash < 0 ? '' : name.slice(0, slash)
}

function texts(values: readonly unknown[] | undefined): readonly string[] {
  return (values ?? []).map(String)
}

function sameFilter(a: Filter, b: Filter): boolean {
  const spelled = (filter: Filter) =>
    JSON.stringify(
      Object.entries(filter).sort(([left], [right]) => (left < right ? -1 : 1)),
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    )
  return spelled(a) === spelled(b)
}
