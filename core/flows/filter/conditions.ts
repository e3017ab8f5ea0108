// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import { type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts'
import type { NumberColumn } from '../store/columns.ts'
import type { FlowFilter } from './filter.ts'
import type { Endpoint, Http, Service, Workload } from '../flow.ts'
import { flagBits, hasPorts, type Protocol } from '../store/flowClass.ts'
import { goRegExp } from './goRegExp.ts'
import { requestPath } from './goUrl.ts'
import { labelSelector } from './labelSelector.ts'
import { dnsNameTest, nodeNameTest } from './namePattern.ts'
import type { Layer7Record, ValueOf } from '../store/rowDictionaries.ts'

/** Something a row must fulfil, asked of a column. What is asked of dictionaries is asked once a value, not once a row. */
export type Condition =
  | { readonly kind: 'value'; readonly column: NumberColumn; readonly test: (value: never) => boolean }
  | { readonly kind: 'port'; readonly column: 'sourcePort' | 'destinationPort'; readonly ports: readonly number[] }
  | { readonly kind: 'uuid'; readonly uuids: readonly string[] }
  | { readonly kind: 'any'; readonly of: readonly Condition[] }

export function on<C extends NumberColumn>(column: C, test: (value: ValueOf<C>) => boolean): Condition {
  return { kind: 'value', column, test }
}

/**
 * What a flow must fulfil, all of it, to match a filter as Hubble matches it (pkg/hubble/filters).
 * @throws Error for a value that Hubble would refuse.
 */
export function conditionsOf(filter: FlowFilter): readonly Condition[] {
  return (Object.keys(filter) as (keyof FlowFilter)[]).flatMap((key) => {
    const values = filter[key]
    if (values === undefined || values.length === 0) return []
    if (key.startsWith('http')) checkEventTypes(filter)
    return BUILDERS[key](values as never)
  })
}

type Values<K extends keyof FlowFilter> = NonNullable<FlowFilter[K]>
type Builders = { readonly [K in keyof FlowFilter]-?: (values: Values<K>) => readonly Condition[] }

const BUILDERS: Builders = {
  uuid: (uuids) => [{ kind: 'uuid', uuids }],
  eventType: (types) => [
    on('class', ({ eventType }) =>
      types.some(
        ({ type, matchSubType, subType }) =>
          eventType !== null && (type === 0 || type === eventType.type) && (!matchSubType || subType === eventType.subType),
      ),
    ),
  ],
  verdict: (verdicts) => [on('class', ({ verdict }) => verdicts.includes(verdict))],
  dropReasonDesc: (reasons) => [
    on('class', ({ verdict, dropReasonDesc }) => verdict === 'DROPPED' && reasons.includes(dropReasonDesc)),
  ],
  // Hubble can't tell for drops, and takes them for no replies.
  reply: (wanted) => [
    on('class', ({ isReply, verdict }) => (isReply !== null || verdict === 'DROPPED') && wanted.includes(isReply ?? false)),
  ],
  encrypted: (wanted) => [on('class', ({ ip }) => wanted.includes(ip?.encrypted ?? false))],
  protocol: (protocols) => [protocolCondition(protocols)],
  tcpFlags: (wanted) => [
    on('class', ({ tcpFlags }) => {
      const bits = tcpFlags === null ? undefined : flagBits(tcpFlags)
      return bits !== undefined && wanted.some((flags) => (flagBits(flags) & ~bits) === 0)
    }),
  ],
  ipVersion: (versions) => [on('class', ({ ip }) => versions.includes(ip?.ipVersion ?? 'IP_NOT_USED'))],
  trafficDirection: (directions) => [on('class', ({ trafficDirection }) => directions.includes(trafficDirection))],
  nodeName: (patterns) => [on('nodeName', nodeNameTest(patterns))],
  nodeLabels: (selectors) => [on('nodeLabels', anyOf(selectors.map(labelSelector)))],
  interface: (wanted) => [
    on('interface', (found) =>
      wanted.some(
        ({ index, name }) => found !== null && (index === 0 || index === found.index) && (name === '' || name === found.name),
      ),
    ),
  ],
  traceId: (ids) => [on('extra', (extra) => ids.includes(extra?.traceContext?.parent?.traceId ?? ''))],
  ipTraceId: (ids) => [on('extra', (extra) => ids.includes(extra?.ipTraceId?.traceId ?? 0n))],
  dnsQuery: (patterns) => {
    const tests = patterns.map(goRegExp)
    return [on('l7', (l7) => l7?.dns != null && tests.some((test) => test.test(l7.dns?.query ?? '')))]
  },
  httpStatusCode: (codes) => [statusCondition(codes)],
  httpMethod: (methods) => {
    const tests = methods.map((method) => new RegExp(`^${escaped(method)}$`, 'iu'))
    return [onHttp(({ method }) => method !== '' && tests.some((test) => test.test(method)))]
  },
  httpPath: (patterns) => {
    const tests = patterns.map(goRegExp)
    return [
      onHttp(({ url }) => {
        const path = requestPath(url)
        return path !== undefined && tests.some((test) => test.test(path))
      }),
    ]
  },
  httpUrl: (patterns) => {
    const tests = patterns.map(goRegExp)
    return [onHttp(({ url }) => url !== '' && tests.some((test) => test.test(url)))]
  },
  httpHeader: (wanted) => [
    onHttp(({ headers }) =>
      headers.some(({ key, value }) => wanted.some((header) => header.key === key && header.value === value)),
    ),
  ],
  sourceIp: (addresses) => [on('sourceIp', addressTest(addresses))],
  sourceIpXlated: (addresses) => [on('sourceIpXlated', addressTest(addresses))],
  sourcePod: (names) => [on('source', podTest(names))],
  sourceFqdn: (patterns) => [on('sourceNames', someName(patterns))],
  sourceLabel: (selectors) => [on('source', labelTest(selectors))],
  sourceService: (names) => [on('sourceService', serviceTest(names))],
  sourceWorkload: (workloads) => [on('source', workloadTest(workloads))],
  sourceClusterName: (names) => [on('source', clusterTest(names))],
  sourceIdentity: (identities) => [on('source', (endpoint) => endpoint !== null && identities.includes(endpoint.identity))],
  sourcePort: (ports) => portConditions('sourcePort', ports),
  destinationIp: (addresses) => [on('destinationIp', addressTest(addresses))],
  destinationPod: (names) => [on('destination', podTest(names))],
  destinationFqdn: (patterns) => [on('destinationNames', someName(patterns))],
  destinationLabel: (selectors) => [on('destination', labelTest(selectors))],
  destinationService: (names) => [on('destinationService', serviceTest(names))],
  destinationWorkload: (workloads) => [on('destination', workloadTest(workloads))],
  destinationClusterName: (names) => [on('destination', clusterTest(names))],
  destinationIdentity: (identities) => [
    on('destination', (endpoint) => endpoint !== null && identities.includes(endpoint.identity)),
  ],
  destinationPort: (ports) => portConditions('destinationPort', ports),
}

/** Hubble looks at HTTP in layer 7 events alone, and refuses what asks for others. */
function checkEventTypes({ eventType = [] }: FlowFilter): void {
  if (eventType.length > 0 && !eventType.some(({ type }) => type === 129))
    throw new Error('filters of HTTP ask for events of type `l7`, and other types alone are asked for')
}

function onHttp(test: (http: Http) => boolean): Condition {
  return on('l7', (l7: Layer7Record | null) => l7?.http != null && test(l7.http))
}

function statusCondition(codes: readonly string[]): Condition {
  const wrong = codes.find((code) => !/^(?:[1-5][0-9]{2}|[1-5][0-9]?\+)$/.test(code))
  if (wrong !== undefined) throw new Error(`\`${wrong}\` is no HTTP status: three digits, or one or two and \`+\``)
  return onHttp(({ code }) => {
    const text = String(code).padStart(3, '0')
    return code !== 0 && codes.some((each) => (each.endsWith('+') ? text.startsWith(each.slice(0, -1)) : text === each))
  })
}

const LAYER4: Readonly<Record<string, readonly Protocol[]>> = {
  tcp: ['tcp'],
  udp: ['udp'],
  sctp: ['sctp'],
  icmp: ['icmpv4', 'icmpv6'],
  icmpv4: ['icmpv4'],
  icmpv6: ['icmpv6'],
  vrrp: ['vrrp'],
  igmp: ['igmp'],
}
const LAYER7 = ['dns', 'http', 'kafka'] as const

export const PROTOCOLS: readonly string[] = [...Object.keys(LAYER4), ...LAYER7]

function protocolCondition(protocols: readonly string[]): Condition {
  const names = protocols.map((protocol) => protocol.toLowerCase())
  const unknown = names.find((name) => !PROTOCOLS.includes(name))
  if (unknown !== undefined) throw new Error(`\`${unknown}\` is no protocol of Hubble's: ${PROTOCOLS.join(', ')}`)
  const layer4 = names.flatMap((name) => LAYER4[name] ?? [])
  const layer7 = LAYER7.filter((name) => names.includes(name))
  return {
    kind: 'any',
    of: [
      on('class', ({ protocol }) => protocol !== null && layer4.includes(protocol)),
      on('l7', (l7) => layer7.some((name) => l7 !== null && l7[name] !== null)),
    ],
  }
}

function portConditions(column: 'sourcePort' | 'destinationPort', texts: readonly string[]): readonly Condition[] {
  const wrong = texts.find((text) => !/^\d{1,5}$/.test(text) || Number(text) > 65_535)
  if (wrong !== undefined) throw new Error(`\`${wrong}\` is no port`)
  return [on('class', ({ protocol }) => hasPorts(protocol)), { kind: 'port', column, ports: texts.map(Number) }]
}

/** Addresses are compared as they are written; networks contain addresses of their own family. */
function addressTest(wanted: readonly string[]): (address: string) => boolean {
  const networks: Prefix[] = []
  const addresses = new Set<string>()
  for (const text of wanted) {
    const network = text.includes('/') && !text.includes('%') ? parsePrefix(text) : undefined
    if (network !== undefined) networks.push(network)
    else if (parseAddress(text) !== undefined && !text.includes('/')) addresses.add(text)
    else throw new Error(`\`${text}\` is neither an address nor a network`)
  }
  return (text) => {
    if (text === '') return false
    if (addresses.has(text)) return true
    const address = networks.length === 0 || text.includes('%') ? undefined : parseAddress(text)
    return address !== undefined && networks.some((network) => prefixContains(network, address))
  }
}

/** Namespace and beginning of a name: `shop/web`; `web` is of the namespace `default`, `/web` of any. */
function namespacedTest(names: readonly string[]): (namespace: string, name: string) => boolean {
  if (names.includes('')) throw new Error('a name is empty')
  const wanted = names.map((text) => {
    const [first = '', second] = text.split('/')
    return second === undefined ? { namespace: 'default', prefix: first } : { namespace: first, prefix: second }
  })
  return (namespace, name) =>
    (namespace !== '' || name !== '') &&
    wanted.some((each) => name.startsWith(each.prefix) && (each.namespace === '' || each.namespace === namespace))
}

function podTest(names: readonly string[]): (endpoint: Endpoint | null) => boolean {
  const test = namespacedTest(names)
  return (endpoint) => endpoint !== null && test(endpoint.namespace, endpoint.podName)
}

function serviceTest(names: readonly string[]): (service: Service | null) => boolean {
  const test = namespacedTest(names)
  return (service) => service !== null && test(service.namespace, service.name)
}

function workloadTest(wanted: readonly Workload[]): (endpoint: Endpoint | null) => boolean {
  return (endpoint) =>
    endpoint?.workloads.some((found) =>
      wanted.some(({ name, kind }) => (name === '' || name === found.name) && (kind === '' || kind === found.kind)),
    ) ?? false
}

function clusterTest(names: readonly string[]): (endpoint: Endpoint | null) => boolean {
  if (names.includes('')) throw new Error('the name of a cluster is empty')
  return (endpoint) => endpoint !== null && names.includes(endpoint.clusterName)
}

function labelTest(selectors: readonly string[]): (endpoint: Endpoint | null) => boolean {
  const test = anyOf(selectors.map(labelSelector))
  return (endpoint) => test(endpoint?.labels ?? [])
}

function someName(patterns: readonly string[]): (names: readonly string[]) => boolean {
  const test = dnsNameTest(patterns)
  return (names) => names.some(test)
}

function anyOf<T>(tests: readonly ((value: T) => boolean)[]): (value: T) => boolean {
  return (value) => tests.some((test) => test(value))
}

export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
