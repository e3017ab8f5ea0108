// SPDX-License-Identifier: Apache-2.0

import { stringify } from 'yaml'
import type { MissingRight } from './errors.ts'

/**
 * The RBAC objects that would grant what is missing, as YAML to hand to whoever administers the cluster. Rights at the
 * cluster's scope become a ClusterRole, rights in a namespace a Role there. Since Kubernetes 1.35 a WebSocket to a pod needs
 * `create`, before it needed `get`: both are granted.
 */
export function rbacSnippet(missing: readonly MissingRight[], user: string): string {
  const scopes = grouped(missing, (right) => right.namespace)
  const documents = [...scopes].flatMap(([namespace, rights]) => roleAndBinding(namespace, rights, user))
  return documents.map((document) => stringify(document)).join('---\n')
}

function roleAndBinding(namespace: string | undefined, rights: readonly MissingRight[], user: string): object[] {
  const prefix = namespace === undefined ? 'Cluster' : ''
  const metadata = namespace === undefined ? { name: 'plumbline-user' } : { name: 'plumbline-user', namespace }
  const roleKind = `${prefix}Role`
  const rules = [...grouped(rights, (right) => `${right.group}/${right.resource}`).values()].map((same) => ({
    apiGroups: [same[0]?.group ?? ''],
    resources: [same[0]?.resource ?? ''],
    verbs: verbsOf(same),
  }))
  const subjects = [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }]
  const roleRef = { kind: roleKind, name: metadata.name, apiGroup: 'rbac.authorization.k8s.io' }
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  return [
    { apiVersion, kind: roleKind, metadata, rules },
    { apiVersion, kind: `${roleKind}Binding`, metadata, roleRef, subjects },
  ]
}

function verbsOf(rights: readonly MissingRight[]): string[] {
  const verbs = new Set(rights.map((right) => right.verb))
  if (rights.some(({ resource }) => resource === 'pods/exec' || resource === 'pods/portforward')) verbs.add('create').add('get')
  return [...verbs].sort()
}

function grouped<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
