// SPDX-License-Identifier: Apache-2.0

import { FactsError } from './error.ts'
import type { FactFiles, Origin } from './files.ts'
import { type Located, type Manifest, readManifest } from './manifestText.ts'
import { memoryFiles } from './memory.ts'
import { isRecord } from './text.ts'

/** API groups whose resources are named in a bundle without their group (docs/bundle.md). */
const PLAIN_GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'batch',
  'discovery.k8s.io',
  'networking.k8s.io',
  'policy.networking.k8s.io',
  'cilium.io',
  'gateway.networking.k8s.io',
])

/** Never read, wherever they come from. */
const SKIPPED_KINDS: ReadonlySet<string> = new Set(['Secret', 'ConfigMap'])

/** Those that get the namespace "default" when a manifest names none, as `kubectl apply` gives it. */
const NAMESPACED_KINDS: ReadonlySet<string> = new Set([
  'Pod',
  'Service',
  'Endpoints',
  'EndpointSlice',
  'NetworkPolicy',
  'CiliumNetworkPolicy',
  'CiliumEndpoint',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute',
  'UDPRoute',
])

/** An object's identity and where it stands. */
interface Identified extends Located {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string | undefined
  readonly objectName: string
}

/**
 * Kubernetes objects from loose files, as the files of a bundle: `objects/<resource>.json`. Documents may be single objects
 * or lists. The same object twice is an error, because nobody can tell which one is meant. Throws FactsError with file and
 * line.
 */
export function objectFiles(name: string, manifests: Iterable<Manifest>): FactFiles {
  const lists = new Map<string, { readonly apiVersion: string; readonly kind: string; readonly items: unknown[] }>()
  const origins = new Map<string, Located[]>()
  const seen = new Map<string, Located>()
  for (const manifest of manifests) {
    for (const located of readManifest(manifest)) {
      const object = identify(located)
      if (SKIPPED_KINDS.has(object.kind)) continue
      const resource = resourceName(object.apiVersion, object.kind)
      refuseTwin(seen, `${resource} ${object.namespace === undefined ? '' : `${object.namespace}/`}${object.objectName}`, located)
      const list = lists.get(resource) ?? { apiVersion: object.apiVersion, kind: `${object.kind}List`, items: [] }
      list.items.push(asCollected(object))
      lists.set(resource, list)
      const path = pathOf(resource)
      const before = origins.get(path)
      if (before) before.push(located)
      else origins.set(path, [located])
    }
  }
  const encode = (list: unknown) => new TextEncoder().encode(JSON.stringify(list))
  const files = memoryFiles(name, new Map([...lists].map(([resource, list]) => [pathOf(resource), encode(list)])))
  return { ...files, origin: (path, pointer) => originOf(origins.get(path) ?? [], pointer) }
}

function pathOf(resource: string): string {
  return `objects/${resource}.json`
}

function originOf(items: readonly Located[], pointer: string): Origin | undefined {
  const [, index, rest = ''] = /^\/items\/(\d+)(\/.*)?$/s.exec(pointer) ?? []
  const located = index === undefined ? undefined : items[Number(index)]
  return located && { file: located.file, line: located.line, pointer: rest }
}

/** "networkpolicies", or "networkpolicies.crd.projectcalico.org" for groups a bundle does not name plainly. */
export function resourceName(apiVersion: string, kind: string): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  const resource = plural(kind.toLowerCase())
  return PLAIN_GROUPS.has(group) ? resource : `${resource}.${group}`
}

function plural(kind: string): string {
  if (kind === 'endpoints') return kind
  if (/[^aeiou]y$/.test(kind)) return `${kind.slice(0, -1)}ies`
  return /(s|x|ch)$/.test(kind) ? `${kind}es` : `${kind}s`
}

function identify(located: Located): Identified {
  const { object, file, line } = located
  const { apiVersion, kind, metadata } = object
  if (!isName(apiVersion, /^[a-z0-9./-]+$/) || !isName(kind, /^[A-Za-z0-9]+$/)) {
    throw new FactsError('is not a Kubernetes object: it has no apiVersion and kind', { file, line })
  }
  if (!isRecord(metadata) || !isName(metadata['name'], /./)) {
    throw new FactsError(`has a ${kind} without metadata.name`, { file, line })
  }
  const namespace = isName(metadata['namespace'], /./) ? metadata['namespace'] : undefined
  return {
    ...located,
    apiVersion,
    kind,
    objectName: metadata['name'],
    namespace: namespace ?? (NAMESPACED_KINDS.has(kind) ? 'default' : undefined),
  }
}

function isName(value: unknown, shape: RegExp): value is string {
  return typeof value === 'string' && shape.test(value)
}

function refuseTwin(seen: Map<string, Located>, key: string, located: Located): void {
  const twin = seen.get(key)
  if (twin !== undefined) {
    const where = twin.line === undefined ? twin.file : `${twin.file}:${twin.line}`
    throw new FactsError(`${key} is already defined in ${where}`, { file: located.file, line: located.line })
  }
  seen.set(key, located)
}

/** As a live connection would have collected it. */
function asCollected({ object, namespace }: Identified): unknown {
  const { managedFields: _, ...metadata } = isRecord(object['metadata']) ? object['metadata'] : {}
  return { ...object, metadata: namespace === undefined ? metadata : { ...metadata, namespace } }
}
