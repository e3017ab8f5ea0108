// SPDX-License-Identifier: Apache-2.0

/** Where the cluster's Hubble relay is: its Service says which pods, and a port is forwarded to one of them. */

import type { ApiServer, KubeObject } from '../apiServer.ts'
import { PlumblineError, quoted } from '../errors.ts'
import { listAll } from '../objects.ts'
import { PodPort, type PortTarget } from '../podPort.ts'
import { PODS, SERVICES } from '../resources.ts'
import type { WishedWay } from './flowsEvent.ts'
import type { HubbleServer } from './server.ts'

const RELAY_SELECTOR = 'k8s-app=hubble-relay'
/** What Cilium's own certificates for relays are for: `*.hubble-relay.cilium.io`. */
const RELAY_HOST = 'instance.hubble-relay.cilium.io'

interface ServiceObject extends KubeObject {
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string; readonly name?: string }[]
  }
}

interface RelayPod extends KubeObject {
  readonly spec?: {
    readonly containers?: readonly {
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[]
    }[]
  }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export interface Relay {
  readonly namespace: string
  readonly service: string
}

/** The relay's Service; undefined when there is none. Throws "forbidden" when the person may not look for it. */
export async function findRelay(
  server: ApiServer,
  { namespace, service }: Omit<Extract<WishedWay, { kind: 'relay' }>, 'kind'>,
  signal?: AbortSignal,
): Promise<Relay | undefined> {
  if (service !== undefined && namespace !== undefined) return { namespace, service }
  const { items } = await listAll<ServiceObject>(server, SERVICES, {
    namespace,
    ...(service === undefined && { labelSelector: RELAY_SELECTOR }),
    signal,
  })
  const found = items.filter(({ metadata }) => service === undefined || metadata?.name === service)
  const chosen = found.find(({ metadata }) => metadata?.namespace === 'kube-system') ?? found[0]
  if (chosen === undefined) return undefined
  return { namespace: chosen.metadata?.namespace ?? '', service: chosen.metadata?.name ?? '' }
}

export function relayServer(server: ApiServer, relay: Relay): HubbleServer {
  return {
    name: `The relay ${quoted(`${relay.namespace}/${relay.service}`)}`,
    node: undefined,
    open: () => new PodPort(server, () => relayPort(server, relay)),
    host: RELAY_HOST,
    tls: false,
  }
}

/** A ready pod of the relay, and its port. Throws "not-found" when there is none. */
async function relayPort(server: ApiServer, { namespace, service }: Relay): Promise<PortTarget> {
  const object = await server.json<ServiceObject>({ verb: 'get', type: SERVICES, namespace, name: service })
  const selector = Object.entries(object.spec?.selector ?? {}).map(([key, value]) => `${key}=${value}`)
  if (selector.length === 0) throw absent(namespace, service, 'it selects no pods')
  const { items } = await listAll<RelayPod>(server, PODS, { namespace, labelSelector: selector.join(',') })
  const pod = items.find(isReady)
  if (pod === undefined) throw absent(namespace, service, items.length === 0 ? 'it has no pods' : 'none of its pods is ready')
  const [port] = object.spec?.ports ?? []
  const target = port?.targetPort ?? port?.port
  const number = typeof target === 'string' ? portNamed(pod, target) : target
  if (number === undefined) throw absent(namespace, service, `its pods have no port ${quoted(String(target))}`)
  return { namespace, pod: pod.metadata?.name ?? '', port: number }
}

function isReady({ metadata, status }: RelayPod): boolean {
  const ready = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  return ready === true && metadata?.deletionTimestamp === undefined
}

function portNamed({ spec }: RelayPod, name: string): number | undefined {
  return spec?.containers?.flatMap(({ ports }) => ports ?? []).find((port) => port.name === name)?.containerPort
}

function absent(namespace: string, service: string, reason: string): PlumblineError {
  return new PlumblineError('hubble-absent', `The relay ${quoted(`${namespace}/${service}`)} can't be asked: ${reason}`)
}
