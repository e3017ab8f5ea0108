// SPDX-License-Identifier: Apache-2.0

import { objectKey } from '../../facts/objects.ts'
import { type Address, type Family, formatEndpoint } from '../../net/address.ts'
import type { Evidence } from '../../path/answer.ts'
import type { Backend } from '../backends.ts'
import type { FrontendKey } from './programmed.ts'

export function servicesMap(family: Family): string {
  return `cilium_lb${family}_services_v2`
}

/** "10.96.0.20:80/TCP", and "10.96.0.20:80/TCP from inside of the cluster" of an entry of its own for that. */
export function frontendName(key: {
  readonly address: Address
  readonly port: number
  readonly protocol: string
  readonly scope: 'external' | 'internal'
}): string {
  const inside = key.scope === 'internal' ? ' from inside of the cluster' : ''
  return `${formatEndpoint(key.address, key.port)}/${key.protocol}${inside}`
}

/** "10.244.0.5:8080 (pod shop/web-0 on n1)" */
export function backendName({ address, port, pod, node }: Pick<Backend, 'address' | 'port' | 'pod' | 'node'>): string {
  const who = [...(pod === undefined ? [] : [`pod ${objectKey(pod.meta)}`]), ...(node === undefined ? [] : [`on ${node}`])]
  return `${formatEndpoint(address, port)}${who.length === 0 ? '' : ` (${who.join(' ')})`}`
}

export function missingEntry(map: string, { address, port, protocol, scope }: FrontendKey): Evidence {
  const key = `address=${formatEndpoint(address, undefined)} port=${port} slot=0 protocol=${protocol} scope=${scope}`
  return { kind: 'map', map, key, value: 'no entry' }
}
