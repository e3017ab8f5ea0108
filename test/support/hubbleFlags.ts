// SPDX-License-Identifier: Apache-2.0

import type { Random } from './random.ts'

/** Filter flags of `hubble observe`, with values it takes. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  pod: ['shop/web', 'web', 'shop/', '/web'],
  'from-pod': ['shop/web', 'db'],
  'to-pod': ['shop/db', 'kube-system/coredns'],
  namespace: ['shop', 'kube-system'],
  'from-namespace': ['shop'],
  'to-namespace': ['shop', 'data'],
  service: ['shop/web', 'db'],
  'to-service': ['shop/web', 'db'],
  ip: ['10.0.0.1', '10.0.0.0/8'],
  'from-ip': ['10.0.0.1'],
  'to-ip': ['fd00::/8'],
  'snat-ip': ['10.0.0.1'],
  fqdn: ['*.example.com'],
  'to-fqdn': ['example.com'],
  label: ['app=web', 'k8s:app in (web, db)'],
  'to-label': ['reserved:world'],
  port: ['53', '443'],
  'to-port': ['5432'],
  workload: ['Deployment/web', 'web', 'Deployment/'],
  'from-workload': ['web'],
  identity: ['world', '12345'],
  'to-identity': ['host', '7'],
  cluster: ['prod'],
  'to-cluster': ['prod'],
  verdict: ['DROPPED', 'FORWARDED', 'dropped'],
  'drop-reason-desc': ['POLICY_DENIED', 'NONE'],
  protocol: ['tcp', 'http'],
  type: ['drop', 'trace:to-endpoint', 'trace', 'l7', '4:3', 'trace:nowhere', '129:1'],
  'tcp-flags': ['syn', 'syn,ack', 'SYN', 'none'],
  'traffic-direction': ['ingress', 'EGRESS', 'up'],
  'node-name': ['n1', 'prod/*'],
  'node-label': ['zone=a'],
  'http-status': ['404', '5+'],
  'http-method': ['get'],
  'http-path': ['/a/.*'],
  'http-header': ['host:web', 'host'],
  'trace-id': ['abc'],
  'ip-trace-id': ['7', '0'],
  uuid: ['3fa85f64-5717-4562-b3fc-2c963f66afa6'],
  interface: ['eth0'],
  'ip-version': ['v4', '6', 'none'],
}
const SWITCHES = ['--ipv4', '-6', '--all-namespaces', '-A', '--from-all-namespaces', '--encrypted', '--unencrypted']

/**
 * Up to five flags, some behind `--not`; many sets make sense to the client, some do not. None asks for HTTP and for types of
 * events: that the two may not go together is known to Hubble's servers alone.
 */
export function randomFlags(random: Random): readonly string[] {
  const words: string[] = []
  const without = random.chance(50) ? 'type' : 'http-'
  const names = Object.keys(FLAGS).filter((name) => !name.startsWith(without))
  for (let count = random.below(5) + 1; count > 0; count--) {
    if (random.chance(25)) words.push('--not')
    if (random.chance(10)) words.push(random.pick(SWITCHES))
    else {
      const name = random.pick(names)
      const value = random.pick(FLAGS[name] ?? [])
      words.push(...(random.chance(30) ? [`--${name}=${value}`] : [`--${name}`, value]))
    }
  }
  if (random.chance(5)) words.push('--not')
  return words
}
