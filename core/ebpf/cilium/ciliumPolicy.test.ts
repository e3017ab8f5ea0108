// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterObjects } from '../../facts/objectsIndex.ts'
import { parseAddress } from '../../net/address.ts'
import { ciliumRules, type RuleQuery } from './ciliumPolicy.ts'
import { IDENTITY } from './identity.ts'

const WEB = new Map([
  ['app', 'web'],
  ['io.kubernetes.pod.namespace', 'shop'],
])
const CLIENT = new Map([
  ['app', 'client'],
  ['io.kubernetes.pod.namespace', 'shop'],
])

function query(changes: Partial<RuleQuery> = {}): RuleQuery {
  const peer = parseAddress('192.0.2.7')
  assert.ok(peer)
  return {
    direction: 'ingress',
    subject: WEB,
    peer,
    peerIdentity: 1234,
    peerLabels: CLIENT,
    protocol: 6,
    port: 8080,
    ...changes,
  }
}

const WORLD = { peerIdentity: IDENTITY.worldIpv4, peerLabels: undefined } as const

/** What a policy of the namespace shop that selects web says. */
function rules(spec: object, asked: RuleQuery, policy: { readonly kind?: string; readonly namespace?: string } = {}) {
  const { kind = 'CiliumNetworkPolicy', namespace = 'shop' } = policy
  const metadata = { name: 'tested', ...(namespace === '' ? {} : { namespace }) }
  const value = {
    apiVersion: 'cilium.io/v2',
    kind,
    metadata,
    spec: { endpointSelector: { matchLabels: { app: 'web' } }, ...spec },
  }
  return ciliumRules(new ClusterObjects([{ file: 'policy.json', pointer: '', value }]), asked)
}

function allows(rule: object, changes: Partial<RuleQuery> = {}): string {
  return rules({ ingress: [rule] }, query(changes)).allowing[0]?.match ?? 'no'
}

test('a policy isolates what it selects in the directions it speaks of, unless told not to', () => {
  const isolating = (spec: object, changes?: Partial<RuleQuery>) => rules(spec, query(changes)).isolating.length
  assert.equal(isolating({ ingress: [] }), 1)
  assert.equal(isolating({ ingressDeny: [] }), 1)
  assert.equal(isolating({ egress: [] }), 0)
  assert.equal(isolating({ ingress: [], enableDefaultDeny: { ingress: false } }), 0)
  assert.equal(isolating({ ingress: [] }, { subject: CLIENT }), 0)
})

test('policies of a namespace mean its endpoints, clusterwide ones those of all', () => {
  const elsewhere = new Map([...CLIENT, ['io.kubernetes.pod.namespace', 'vault']])
  const rule = { ingress: [{ fromEndpoints: [{ matchLabels: { 'k8s:app': 'client' } }] }] }
  const away = query({ peerLabels: elsewhere })
  assert.equal(rules(rule, query()).allowing.length, 1)
  assert.equal(rules(rule, away).allowing.length, 0)
  assert.equal(rules(rule, away, { kind: 'CiliumClusterwideNetworkPolicy', namespace: '' }).allowing.length, 1)
  const named = { matchLabels: { app: 'client', 'k8s:io.kubernetes.pod.namespace': 'vault' } }
  assert.equal(rules({ ingress: [{ fromEndpoints: [named] }] }, away).allowing.length, 1)
})

test('peers: endpoints, entities, networks', () => {
  assert.equal(allows({}), 'yes')
  assert.equal(allows({ fromEndpoints: [] }), 'no')
  assert.equal(allows({ fromEndpoints: [{}] }), 'yes')
  assert.equal(allows({ fromEndpoints: [{}] }, WORLD), 'no')
  assert.equal(allows({ fromEntities: ['world'] }, WORLD), 'yes')
  assert.equal(allows({ fromEntities: ['cluster'] }, WORLD), 'no')
  assert.equal(allows({ fromEntities: ['cluster'] }), 'yes')
  assert.equal(allows({ fromEntities: ['remote-node'] }, { peerIdentity: IDENTITY.kubeApiserver, peerLabels: undefined }), 'yes')
  assert.equal(allows({ fromEntities: ['host'] }, { peerIdentity: IDENTITY.host, peerLabels: undefined }), 'yes')
  assert.equal(allows({ fromCIDR: ['192.0.2.0/24'] }, WORLD), 'yes')
  assert.equal(allows({ fromCIDR: ['192.0.2.0/24'] }), 'no')
  assert.equal(allows({ fromCIDRSet: [{ cidr: '192.0.2.0/24', except: ['192.0.2.4/30'] }] }, WORLD), 'no')
  assert.equal(allows({ fromGroups: [{}] }, WORLD), 'maybe')
})

test('ports: numbers, ranges, protocols, and what only a name tells', () => {
  const at = (...ports: readonly object[]) => allows({ toPorts: [{ ports }] })
  assert.equal(at({ port: '8080', protocol: 'TCP' }), 'yes')
  assert.equal(at({ port: '8080' }), 'yes')
  assert.equal(at({ port: '8080', protocol: 'UDP' }), 'no')
  assert.equal(at({ port: '8000', endPort: 8100, protocol: 'TCP' }), 'yes')
  assert.equal(at({ port: '9000', protocol: 'TCP' }), 'no')
  assert.equal(at({ port: '0', protocol: 'TCP' }), 'yes')
  assert.equal(at({ port: 'http', protocol: 'TCP' }), 'maybe')
  assert.equal(allows({ icmps: [{ fields: [{ type: 8 }] }] }), 'no')
})

test('ports by name are those of the pod that receives', () => {
  const meta = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web', namespace: 'shop' } }
  const ports = [
    { name: 'http', containerPort: 8080 },
    { name: 'dns', containerPort: 8080, protocol: 'UDP' },
    { name: 'admin', containerPort: 9100 },
  ]
  const value = { ...meta, spec: { containers: [{ name: 'web', ports }] } }
  const receiver = new ClusterObjects([{ file: 'pod.json', pointer: '', value }]).pods.get('shop/web')
  assert.ok(receiver)
  const at = (name: string) => allows({ toPorts: [{ ports: [{ port: name, protocol: 'TCP' }] }] }, { receiver })
  assert.deepEqual([at('http'), at('dns'), at('admin'), at('none')], ['yes', 'no', 'no', 'no'])
})

test('ICMP: types by number and name, families apart, and no port that stands for them', () => {
  const icmp = (field: object, changes: Partial<RuleQuery> = {}) =>
    allows({ icmps: [{ fields: [field] }] }, { protocol: 1, port: undefined, ...changes })
  assert.equal(icmp({ type: 8 }), 'yes')
  assert.equal(icmp({ type: 'EchoRequest', family: 'IPv4' }), 'yes')
  assert.equal(icmp({ type: 8 }, { icmpType: 13 }), 'no')
  assert.equal(icmp({ type: 128, family: 'IPv6' }), 'no')
  assert.equal(icmp({ type: 128, family: 'IPv6' }, { protocol: 58 }), 'yes')
  assert.equal(icmp({ type: 'Redirect' }), 'maybe')
  assert.equal(allows({ toPorts: [{ ports: [{ port: '0' }] }] }, { protocol: 1, port: undefined }), 'no')
})

test('every condition of a rule is assessed by itself, with the field it stands in', () => {
  const rule = { fromEndpoints: [{ matchLabels: { app: 'web' } }, {}], toPorts: [{ ports: [{ port: '80' }, { port: '8080' }] }] }
  const [assessed] = rules({ ingress: [rule] }, query()).assessed
  assert.deepEqual(
    [...(assessed?.peers ?? []), ...(assessed?.ports ?? [])].map(({ field, match }) => `${field} ${match}`),
    ['fromEndpoints[0] no', 'fromEndpoints[1] yes', 'toPorts[0].ports[0] no', 'toPorts[0].ports[1] yes'],
  )
})

test('denials are kept apart, and fields say where they stand', () => {
  const found = rules({ ingress: [{ fromEntities: ['all'] }], ingressDeny: [{ fromEndpoints: [{}] }] }, query())
  assert.deepEqual(
    [found.allowing, found.denying].map((list) => list.map(({ field }) => field)),
    [['spec.ingress[0]'], ['spec.ingressDeny[0]']],
  )
})
