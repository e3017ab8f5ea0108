// SPDX-License-Identifier: Apache-2.0

/** The agent's manifests (agent/deploy/*.yaml), read, and fitted to what a person chose. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject, ResourceType } from './apiServer.ts'
import { PlumblineError, quoted } from './errors.ts'

/** An object to create, and how the API addresses it. */
export interface Manifest {
  readonly type: ResourceType
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
  readonly object: KubeObject
}

export interface AgentOptions {
  /** Replaces the image of the agent's container. */
  readonly image?: string
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  /** Restricts the nodes the agent runs on; added to what the manifest asks for. */
  readonly nodeSelector?: Readonly<Record<string, string>>
}

/** Kinds the manifests may hold. Anything else is refused, so that a changed manifest can't create the unexpected. */
const KINDS: Readonly<Record<string, ResourceType>> = {
  'v1/Namespace': { group: '', version: 'v1', resource: 'namespaces', namespaced: false },
  'v1/ServiceAccount': { group: '', version: 'v1', resource: 'serviceaccounts', namespaced: true },
  'apps/v1/DaemonSet': { group: 'apps', version: 'v1', resource: 'daemonsets', namespaced: true },
  ...rbac('ClusterRole', 'clusterroles', false),
  ...rbac('ClusterRoleBinding', 'clusterrolebindings', false),
  ...rbac('Role', 'roles', true),
  ...rbac('RoleBinding', 'rolebindings', true),
}

function rbac(kind: string, resource: string, namespaced: boolean): Record<string, ResourceType> {
  const group = 'rbac.authorization.k8s.io'
  return { [`${group}/v1/${kind}`]: { group, version: 'v1', resource, namespaced } }
}

/** All documents of a folder's YAML files, in the files' order by name. */
export async function readManifests(folder: string): Promise<Manifest[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return inOrder(texts.flatMap((text, index) => parseManifests(text, names[index] ?? '')))
}

export function parseManifests(text: string, file: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const bad = document.errors[0]
    if (bad !== undefined) throw new PlumblineError('api', `${file}: ${bad.message}`)
    const object = document.toJSON() as KubeObject | null
    return object === null ? [] : [manifest(object, file)]
  })
}

function manifest(object: KubeObject, file: string): Manifest {
  const type = KINDS[`${object.apiVersion}/${object.kind}`]
  const name = object.metadata?.name
  if (type === undefined || name === undefined)
    throw new PlumblineError('api', `${file}: unexpected object ${quoted(`${object.kind} ${name}`)}`)
  return { type, kind: object.kind ?? '', name, namespace: type.namespaced ? object.metadata?.namespace : undefined, object }
}

/** A namespace before what lies in it, rights before the workload that needs them. */
function inOrder(manifests: Manifest[]): Manifest[] {
  const rank = (kind: string) =>
    ['Namespace', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding', 'DaemonSet'].indexOf(kind)
  return manifests.toSorted((a, b) => rank(a.kind) - rank(b.kind))
}

interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly nodeSelector?: Readonly<Record<string, string>>
        readonly containers: readonly { readonly name: string; readonly image: string }[]
      }
    }
  }
}

/** The manifests with the chosen image and nodes. */
export function fitted(manifests: readonly Manifest[], options: AgentOptions): Manifest[] {
  return manifests.map((one) =>
    one.kind === 'DaemonSet' ? { ...one, object: fitDaemonSet(one.object as DaemonSet, options) } : one,
  )
}

function fitDaemonSet(set: DaemonSet, { image, imagePullPolicy, nodeSelector }: AgentOptions): DaemonSet {
  const pod = set.spec.template.spec
  const containers = pod.containers.map((container) => ({
    ...container,
    ...(image !== undefined && { image }),
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
  }))
  const spec = { ...pod, containers, ...(nodeSelector && { nodeSelector: { ...pod.nodeSelector, ...nodeSelector } }) }
  return { ...set, spec: { ...set.spec, template: { ...set.spec.template, spec } } }
}
