// SPDX-License-Identifier: Apache-2.0

import { type Address, parseAddress } from '../net/address.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'
import type {
  ContainerPort,
  EndpointObject,
  EndpointSliceObject,
  LabelSelector,
  NetworkPolicyObject,
  NodeObject,
  ObjectMeta,
  PodObject,
  PolicyPeer,
  PolicyPort,
  PolicyRule,
  Protocol,
  ServiceObject,
} from './objects.ts'
import type { Shape } from './objectsShape.ts'

/**
 * From the API's JSON to typed objects. Nothing here throws: what can't be read is reported with its path and left out.
 * Defaults are those the API server fills in, because manifests on disk have not passed through it.
 */

const ZONE_LABEL = 'topology.kubernetes.io/zone'
const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'
const DEFAULT_AFFINITY_SECONDS = 10_800

/** Undefined without a name: such an object can't be referred to. */
export function parseMeta(object: Shape): ObjectMeta | undefined {
  const metadata = object.field('metadata')
  const name = metadata.field('name').text()
  if (name === undefined || name === '') return object.report('an object without metadata.name was left out')
  const owner = metadata
    .field('ownerReferences')
    .items()
    .find((reference) => reference.field('controller').flag() === true)
  return {
    apiVersion: object.field('apiVersion').text() ?? '',
    kind: object.field('kind').text() ?? '',
    namespace: metadata.field('namespace').text() ?? '',
    name,
    uid: metadata.field('uid').text() ?? '',
    labels: metadata.field('labels').strings(),
    annotations: metadata.field('annotations').strings(),
    deletionTimestamp: metadata.field('deletionTimestamp').text(),
    owner: owner && { kind: owner.field('kind').text() ?? '', name: owner.field('name').text() ?? '' },
    source: { file: object.file, pointer: object.pointer },
  }
}

export function parseNode(object: Shape, meta: ObjectMeta): NodeObject {
  const addresses = object.at('status', 'addresses').items()
  const ofType = (type: string) =>
    addresses.filter((entry) => entry.field('type').text() === type).flatMap((entry) => address(entry.field('address')) ?? [])
  const cidrs = object.at('spec', 'podCIDRs').items()
  return {
    meta,
    internalIPs: ofType('InternalIP'),
    externalIPs: ofType('ExternalIP'),
    podCIDRs: (cidrs.length > 0 ? cidrs : [object.at('spec', 'podCIDR')]).flatMap((cidr) => prefix(cidr) ?? []),
    zone: meta.labels.get(ZONE_LABEL),
  }
}

export function parsePod(object: Shape, meta: ObjectMeta): PodObject {
  const spec = object.field('spec')
  const status = object.field('status')
  const listed = status.field('podIPs').items()
  const hostListed = status.field('hostIPs').items()
  const sidecars = spec
    .field('initContainers')
    .items()
    .filter((container) => container.field('restartPolicy').text() === 'Always')
  return {
    meta,
    nodeName: spec.field('nodeName').text(),
    hostNetwork: spec.field('hostNetwork').flag() ?? false,
    phase: status.field('phase').text() ?? 'Unknown',
    ready: status
      .field('conditions')
      .items()
      .some((condition) => condition.field('type').text() === 'Ready' && condition.field('status').text() === 'True'),
    podIPs: addressesOf(listed, status.field('podIP')),
    hostIPs: addressesOf(hostListed, status.field('hostIP')),
    ports: [...sidecars, ...spec.field('containers').items()].flatMap((container) =>
      container
        .field('ports')
        .items()
        .flatMap((port) => containerPort(port) ?? []),
    ),
  }
}

function addressesOf(list: readonly Shape[], single: Shape): readonly Address[] {
  if (list.length === 0) return [address(single) ?? []].flat()
  return list.flatMap((entry) => address(entry.field('ip')) ?? [])
}

function containerPort(shape: Shape): ContainerPort | undefined {
  const number = portNumber(shape.field('containerPort'))
  if (number === undefined) return undefined
  const hostIP = shape.field('hostIP').text()
  return {
    name: shape.field('name').text(),
    containerPort: number,
    protocol: protocol(shape.field('protocol')),
    hostPort: portNumber(shape.field('hostPort')),
    hostIP: hostIP === undefined || hostIP === '' ? undefined : address(shape.field('hostIP')),
  }
}

export function parseService(object: Shape, meta: ObjectMeta): ServiceObject {
  const spec = object.field('spec')
  const type = oneOf(spec.field('type'), ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], 'ClusterIP')
  const listed = spec.field('clusterIPs').items()
  const texts = (listed.length > 0 ? listed : [spec.field('clusterIP')]).filter((shape) => (shape.text() ?? '') !== '')
  const headless = texts.some((shape) => shape.value === 'None')
  return {
    meta,
    type,
    clusterIPs: headless || type === 'ExternalName' ? [] : texts.flatMap((shape) => address(shape) ?? []),
    headless,
    externalName: spec.field('externalName').text(),
    externalIPs: spec
      .field('externalIPs')
      .items()
      .flatMap((shape) => address(shape) ?? []),
    loadBalancerIPs: object
      .at('status', 'loadBalancer', 'ingress')
      .items()
      .flatMap((shape) => {
        const ip = address(shape.field('ip'))
        return ip === undefined ? [] : [{ address: ip, ipMode: oneOf(shape.field('ipMode'), ['VIP', 'Proxy'], 'VIP') }]
      }),
    ports: spec
      .field('ports')
      .items()
      .flatMap((shape) => servicePort(shape) ?? []),
    selector: emptyAsUndefined(spec.field('selector').strings()),
    sessionAffinity: oneOf(spec.field('sessionAffinity'), ['None', 'ClientIP'], 'None'),
    affinityTimeout:
      spec.at('sessionAffinityConfig', 'clientIP', 'timeoutSeconds').integer(1, 86_400) ?? DEFAULT_AFFINITY_SECONDS,
    externalTrafficPolicy: oneOf(spec.field('externalTrafficPolicy'), ['Cluster', 'Local'], 'Cluster'),
    internalTrafficPolicy: oneOf(spec.field('internalTrafficPolicy'), ['Cluster', 'Local'], 'Cluster'),
    healthCheckNodePort: portNumber(spec.field('healthCheckNodePort')),
    loadBalancerSourceRanges: spec
      .field('loadBalancerSourceRanges')
      .items()
      .flatMap((shape) => prefix(shape) ?? []),
    publishNotReadyAddresses: spec.field('publishNotReadyAddresses').flag() ?? false,
    trafficDistribution: spec.field('trafficDistribution').text(),
  }
}

function servicePort(shape: Shape): ServiceObject['ports'][number] | undefined {
  const port = portNumber(shape.field('port'))
  if (port === undefined) return shape.report('a service port without a number was left out')
  const target = shape.field('targetPort')
  return {
    name: shape.field('name').text() ?? '',
    protocol: protocol(shape.field('protocol')),
    port,
    targetPort: intOrString(target) ?? port,
    nodePort: portNumber(shape.field('nodePort')),
  }
}

export function parseEndpointSlice(object: Shape, meta: ObjectMeta): EndpointSliceObject {
  return {
    meta,
    serviceName: meta.labels.get(SERVICE_NAME_LABEL),
    addressType: oneOf(object.field('addressType'), ['IPv4', 'IPv6', 'FQDN'], 'IPv4'),
    ports: object
      .field('ports')
      .items()
      .map((shape) => ({
        name: shape.field('name').text() ?? '',
        protocol: protocol(shape.field('protocol')),
        port: portNumber(shape.field('port')),
      })),
    endpoints: object.field('endpoints').items().map(parseEndpoint),
  }
}

function parseEndpoint(shape: Shape): EndpointObject {
  const conditions = shape.field('conditions')
  const ready = conditions.field('ready').flag() ?? true
  const target = shape.field('targetRef')
  const hints = (list: string) =>
    shape
      .at('hints', list)
      .items()
      .flatMap((hint) => hint.field('name').text() ?? [])
  return {
    addresses: shape
      .field('addresses')
      .items()
      .flatMap((entry) => address(entry) ?? []),
    ready,
    serving: conditions.field('serving').flag() ?? true,
    terminating: conditions.field('terminating').flag() ?? false,
    nodeName: shape.field('nodeName').text(),
    zone: shape.field('zone').text(),
    hintZones: hints('forZones'),
    hintNodes: hints('forNodes'),
    target: target.present
      ? {
          kind: target.field('kind').text() ?? '',
          namespace: target.field('namespace').text() ?? '',
          name: target.field('name').text() ?? '',
        }
      : undefined,
  }
}

export function parseNetworkPolicy(object: Shape, meta: ObjectMeta): NetworkPolicyObject {
  const spec = object.field('spec')
  const types = spec.field('policyTypes').texts()
  const egress = spec.field('egress').items()
  return {
    meta,
    podSelector: parseSelector(spec.field('podSelector')),
    isolatesIngress: types.length === 0 || types.includes('Ingress'),
    isolatesEgress: types.length === 0 ? egress.length > 0 : types.includes('Egress'),
    ingress: spec
      .field('ingress')
      .items()
      .map((rule) => policyRule(rule, 'from')),
    egress: egress.map((rule) => policyRule(rule, 'to')),
  }
}

function policyRule(rule: Shape, peers: 'from' | 'to'): PolicyRule {
  return { peers: rule.field(peers).items().map(policyPeer), ports: rule.field('ports').items().map(policyPort) }
}

function policyPeer(shape: Shape): PolicyPeer {
  const block = shape.field('ipBlock')
  if (block.present) {
    const cidr = prefix(block.field('cidr'))
    const except = block.field('except').items()
    return cidr === undefined
      ? { kind: 'invalid' }
      : { kind: 'ipBlock', cidr, except: except.flatMap((item) => prefix(item) ?? []) }
  }
  const pods = shape.field('podSelector')
  const namespaces = shape.field('namespaceSelector')
  if (!pods.present && !namespaces.present) {
    shape.report('a peer needs ipBlock, podSelector or namespaceSelector')
    return { kind: 'invalid' }
  }
  return {
    kind: 'selector',
    pods: pods.present ? parseSelector(pods) : undefined,
    namespaces: namespaces.present ? parseSelector(namespaces) : undefined,
  }
}

function policyPort(shape: Shape): PolicyPort {
  return {
    protocol: protocol(shape.field('protocol')),
    port: intOrString(shape.field('port')),
    endPort: portNumber(shape.field('endPort')),
  }
}

export function parseSelector(shape: Shape): LabelSelector {
  let invalid = false
  const matchExpressions = shape
    .field('matchExpressions')
    .items()
    .flatMap((entry) => {
      const key = entry.field('key').text()
      const operator = oneOf(entry.field('operator'), ['In', 'NotIn', 'Exists', 'DoesNotExist'], undefined)
      if (key === undefined || operator === undefined) {
        invalid = true
        entry.report('a label requirement without key or known operator matches nothing')
        return []
      }
      return [{ key, operator, values: entry.field('values').texts() }]
    })
  return { matchLabels: shape.field('matchLabels').strings(), matchExpressions, invalid }
}

function address(shape: Shape): Address | undefined {
  const text = shape.text()
  if (text === undefined || text === '') return undefined
  return parseAddress(text) ?? shape.report(`${JSON.stringify(text.slice(0, 60))} is not an IP address`)
}

function prefix(shape: Shape): Prefix | undefined {
  const text = shape.text()
  if (text === undefined || text === '') return undefined
  return parsePrefix(text.trim()) ?? shape.report(`${JSON.stringify(text.slice(0, 60))} is not a CIDR prefix`)
}

/** 0 means "not set" wherever the API has ports. */
function portNumber(shape: Shape): number | undefined {
  const port = shape.integer(0, 65_535)
  return port === 0 ? undefined : port
}

function intOrString(shape: Shape): number | string | undefined {
  if (typeof shape.value === 'string') return /^\d+$/.test(shape.value) ? Number(shape.value) : shape.value || undefined
  return portNumber(shape)
}

function protocol(shape: Shape): Protocol {
  return oneOf(shape, ['TCP', 'UDP', 'SCTP'], 'TCP')
}

function oneOf<T extends string, D extends T | undefined>(shape: Shape, allowed: readonly T[], fallback: D): T | D {
  const text = shape.text()
  if (text === undefined || text === '') return fallback
  const found = allowed.find((candidate) => candidate === text)
  if (found === undefined) shape.report(`${JSON.stringify(text.slice(0, 40))} is not one of ${allowed.join(', ')}`)
  return found ?? fallback
}

function emptyAsUndefined(map: ReadonlyMap<string, string>): ReadonlyMap<string, string> | undefined {
  return map.size === 0 ? undefined : map
}
