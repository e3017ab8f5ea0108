// SPDX-License-Identifier: Apache-2.0

/** Lists of cluster objects, page by page, as the API server returns them. */

import type { ApiServer, KubeList, KubeObject, ResourceType } from './apiServer.ts'
import { ApiError, messageOf, PlumblineError } from './errors.ts'
import { CORE_RESOURCES, OPTIONAL_RESOURCES } from './resources.ts'

const PAGE = 500

export interface ListOptions {
  readonly namespace?: string | undefined
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly signal?: AbortSignal | undefined
}

/**
 * The whole list, its pages put together. When the server forgot the list's version between two pages (410), it is read
 * again in one piece, as client-go does.
 */
export async function listAll<T extends KubeObject>(
  server: ApiServer,
  type: ResourceType,
  options: ListOptions = {},
): Promise<KubeList<T>> {
  try {
    return await readPages<T>(server, type, options, PAGE)
  } catch (error) {
    if (!ApiError.is(error, 'expired')) throw error
    return readPages<T>(server, type, options, undefined)
  }
}

async function readPages<T extends KubeObject>(
  server: ApiServer,
  type: ResourceType,
  options: ListOptions,
  limit: number | undefined,
): Promise<KubeList<T>> {
  const items: T[] = []
  let next: string | undefined
  for (;;) {
    const page: KubeList<T> = await listPage<T>(server, type, options, limit, next)
    for (const item of page.items) items.push(withoutManagedFields(item))
    next = page.metadata.continue
    if (next === undefined || next === '') return { ...page, metadata: withoutContinue(page.metadata), items }
  }
}

/** One page, for trees that load on demand. */
export async function listPage<T extends KubeObject>(
  server: ApiServer,
  type: ResourceType,
  options: ListOptions,
  limit: number | undefined,
  continueFrom: string | undefined,
): Promise<KubeList<T>> {
  const query = {
    ...(limit !== undefined && { limit: String(limit) }),
    ...(continueFrom !== undefined && { continue: continueFrom }),
    ...(options.labelSelector !== undefined && { labelSelector: options.labelSelector }),
    ...(options.fieldSelector !== undefined && { fieldSelector: options.fieldSelector }),
  }
  const page = await server.json<KubeList<T>>({
    verb: 'list',
    type,
    query,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    ...(options.signal && { signal: options.signal }),
  })
  // An empty list of a CRD may come as null.
  if (!Array.isArray(page.items ?? [])) throw new PlumblineError('api', `The list of \`${type.resource}\` is not a list`)
  return { ...page, items: page.items ?? [] }
}

function withoutContinue(metadata: KubeList['metadata']): KubeList['metadata'] {
  return metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata === undefined || !('managedFields' in object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata as Record<string, unknown>
  return { ...object, metadata }
}

interface ApiGroupList {
  readonly groups: readonly { readonly name: string; readonly preferredVersion: { readonly version: string } }[]
}

interface ApiResourceList {
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean; readonly verbs: readonly string[] }[]
}

export interface ServedResources {
  readonly types: readonly ResourceType[]
  /** Groups that could not be asked about. */
  readonly problems: readonly { readonly group: string; readonly reason: string }[]
}

/** What a collection should list: the core resources, and those optional ones that this cluster serves. */
export async function servedResources(server: ApiServer, signal?: AbortSignal): Promise<ServedResources> {
  const types: ResourceType[] = [...CORE_RESOURCES]
  const problems: { group: string; reason: string }[] = []
  const { groups } = await server.get<ApiGroupList>('/apis', signal)
  for (const [group, wanted] of Object.entries(OPTIONAL_RESOURCES)) {
    const version = groups.find((served) => served.name === group)?.preferredVersion.version
    if (version === undefined) continue
    try {
      const { resources } = await server.get<ApiResourceList>(`/apis/${group}/${version}`, signal)
      for (const { name, namespaced, verbs } of resources) {
        if (wanted.includes(name) && verbs.includes('list')) types.push({ group, version, resource: name, namespaced })
      }
    } catch (error) {
      if (PlumblineError.is(error, 'cancelled')) throw error
      problems.push({ group, reason: messageOf(error) })
    }
  }
  return { types, problems }
}
