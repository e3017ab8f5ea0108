// SPDX-License-Identifier: Apache-2.0

/**
 * Kubeconfig files: which there are, what contexts they hold, and a ready `KubeConfig` for one context.
 *
 * Files are read here rather than by `KubeConfig.loadFromDefault()`, because that one blocks on `wsl.exe` on Windows and
 * names neither file nor line in its errors. The client library is loaded only by `loadContext`.
 */

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { KubeconfigError, messageOf, quoted } from './errors.ts'

/** Files read as one, the first to define a name wins, as kubectl reads KUBECONFIG. */
export interface KubeconfigSource {
  readonly files: readonly string[]
}

export interface ContextRef {
  readonly source: KubeconfigSource
  /** The file that defines the context. */
  readonly file: string
  readonly name: string
}

export interface ContextInfo extends ContextRef {
  readonly cluster: string
  readonly server: string
  readonly user: string
  readonly namespace: string
  readonly current: boolean
}

export interface ContextList {
  readonly contexts: readonly ContextInfo[]
  /** Files and entries that could not be used. The rest is usable all the same. */
  readonly problems: readonly KubeconfigError[]
}

/**
 * Where kubeconfig is looked for: the given paths, each on its own; else KUBECONFIG, merged; else ~/.kube/config.
 * "~" at the start of a path is the home folder.
 */
export function kubeconfigSources(explicit: readonly string[], env: NodeJS.ProcessEnv = process.env): KubeconfigSource[] {
  const given = explicit.map((path) => path.trim()).filter((path) => path !== '')
  if (given.length > 0) return given.map((path) => ({ files: [expandHome(path)] }))
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '')
  if (listed.length > 0) return [{ files: listed.map(expandHome) }]
  return [{ files: [join(homedir(), '.kube', 'config')] }]
}

/** Every context of every source, and what could not be read. An absent file is a problem only if it was asked for. */
export async function listContexts(sources: readonly KubeconfigSource[]): Promise<ContextList> {
  const contexts: ContextInfo[] = []
  const problems: KubeconfigError[] = []
  for (const source of sources) {
    const merged = await mergeSource(source)
    problems.push(...merged.problems)
    for (const entry of merged.contexts.values()) {
      const info = describeContext(source, merged, entry)
      if (info instanceof KubeconfigError) problems.push(info)
      else contexts.push(info)
    }
  }
  return { contexts, problems }
}

/** Finds a context by name; the first source that has it wins. Throws `KubeconfigError` naming the ones there are. */
export async function findContext(sources: readonly KubeconfigSource[], name: string | undefined): Promise<ContextInfo> {
  const { contexts, problems } = await listContexts(sources)
  const found = contexts.find((context) => (name === undefined ? context.current : context.name === name))
  if (found !== undefined) return found
  const files = sources.flatMap((source) => source.files).join(', ')
  if (problems[0] !== undefined && contexts.length === 0) throw problems[0]
  const known =
    contexts.length === 0 ? 'there are none' : `there are ${contexts.map((context) => quoted(context.name)).join(', ')}`
  throw new KubeconfigError(
    files,
    undefined,
    name === undefined ? `no current context is set; ${known}` : `no context ${quoted(name)}; ${known}`,
  )
}

/**
 * A configuration that holds this context alone. One clone per context, because the client library's exec and WebSocket
 * helpers always use the current context, and its credential plugin caches by user name across files.
 */
export async function loadContext(ref: ContextRef): Promise<KubeConfig> {
  const merged = await mergeSource(ref.source)
  const entry = merged.contexts.get(ref.name)
  if (entry === undefined) throw merged.problems[0] ?? new KubeconfigError(ref.file, undefined, `no context ${quoted(ref.name)}`)
  const info = describeContext(ref.source, merged, entry)
  if (info instanceof KubeconfigError) throw info
  const cluster = merged.clusters.get(info.cluster)
  const user = merged.users.get(info.user)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': info.name,
    contexts: [{ name: info.name, context: { cluster: 'cluster', user: 'user', namespace: info.namespace } }],
    clusters: [{ name: 'cluster', cluster: absolutePaths(cluster, ['certificate-authority']) }],
    // The library applies the cluster's CA only when there is a user, even an empty one.
    users: [{ name: 'user', user: user === undefined ? {} : absoluteUser(user) }],
  }
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  const loaded = new KubeConfig()
  try {
    loaded.loadFromString(JSON.stringify(config))
  } catch (error) {
    throw new KubeconfigError(ref.file, entry.line, `context ${quoted(ref.name)} can't be used: ${messageOf(error)}`, error)
  }
  return loaded
}

interface Entry {
  readonly file: string
  readonly line: number | undefined
  readonly name: string
  readonly value: Readonly<Record<string, unknown>>
}

interface Merged {
  current: string | undefined
  readonly contexts: Map<string, Entry>
  readonly clusters: Map<string, Entry>
  readonly users: Map<string, Entry>
  readonly problems: KubeconfigError[]
}

async function mergeSource(source: KubeconfigSource): Promise<Merged> {
  const merged: Merged = { current: undefined, contexts: new Map(), clusters: new Map(), users: new Map(), problems: [] }
  for (const file of source.files) {
    try {
      readInto(merged, file, await readFile(file, 'utf8'))
    } catch (error) {
      // kubectl skips absent files of a list, too; that there is none at all is told by the empty result.
      if (error instanceof KubeconfigError) merged.problems.push(error)
      else merged.problems.push(new KubeconfigError(file, undefined, isAbsent(error) ? 'no such file' : messageOf(error), error))
    }
  }
  return merged
}

function readInto(merged: Merged, file: string, text: string): void {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const bad = document.errors[0]
  if (bad !== undefined) throw new KubeconfigError(file, lines.linePos(bad.pos[0]).line, bad.message, bad)
  const root = document.contents
  if (root === null) return
  const lineOf = (node: unknown) => lineOfNode(lines, node)
  if (!isMap(root)) throw new KubeconfigError(file, lineOf(root), 'not a kubeconfig: expected a mapping')
  merged.current ??= nonEmpty(root.get('current-context'))
  const parts = [
    ['contexts', 'context', merged.contexts],
    ['clusters', 'cluster', merged.clusters],
    ['users', 'user', merged.users],
  ] as const
  for (const [list, key, into] of parts) {
    const items = root.get(list, true)
    if (items === undefined || (isScalar(items) && items.value === null)) continue
    if (!isSeq(items)) throw new KubeconfigError(file, lineOf(items), `\`${list}\` is not a list`)
    for (const item of items.items) {
      const entry = readEntry(file, lineOf(item), item, key)
      if (entry instanceof KubeconfigError) merged.problems.push(entry)
      else if (!into.has(entry.name)) into.set(entry.name, entry)
    }
  }
}

function readEntry(file: string, line: number | undefined, item: unknown, key: string): Entry | KubeconfigError {
  if (!isMap(item)) return new KubeconfigError(file, line, `an entry of \`${key}s\` is not a mapping`)
  const name = nonEmpty((item as YAMLMap).get('name'))
  if (name === undefined) return new KubeconfigError(file, line, `an entry of \`${key}s\` has no name`)
  const value: unknown = (item as YAMLMap).toJSON()?.[key] ?? {}
  if (typeof value !== 'object' || value === null)
    return new KubeconfigError(file, line, `\`${key}\` of ${quoted(name)} is not a mapping`)
  return { file, line, name, value: value as Record<string, unknown> }
}

function describeContext(source: KubeconfigSource, merged: Merged, entry: Entry): ContextInfo | KubeconfigError {
  const cluster = nonEmpty(entry.value['cluster'])
  const user = nonEmpty(entry.value['user']) ?? ''
  const fail = (reason: string) => new KubeconfigError(entry.file, entry.line, `context ${quoted(entry.name)} ${reason}`)
  if (cluster === undefined) return fail('names no cluster')
  const clusterEntry = merged.clusters.get(cluster)
  if (clusterEntry === undefined) return fail(`names cluster ${quoted(cluster)}, which is not defined`)
  if (user !== '' && !merged.users.has(user)) return fail(`names user ${quoted(user)}, which is not defined`)
  const server = nonEmpty(clusterEntry.value['server'])
  if (server === undefined)
    return new KubeconfigError(clusterEntry.file, clusterEntry.line, `cluster ${quoted(cluster)} has no \`server\``)
  const namespace = nonEmpty(entry.value['namespace']) ?? 'default'
  return { source, file: entry.file, name: entry.name, cluster, server, user, namespace, current: merged.current === entry.name }
}

/** Relative paths in a kubeconfig are relative to the file that holds them. */
function absolutePaths(entry: Entry | undefined, keys: readonly string[]): Record<string, unknown> {
  const value: Record<string, unknown> = { ...entry?.value }
  for (const key of keys) {
    const path = nonEmpty(value[key])
    if (path !== undefined && entry !== undefined) value[key] = isAbsolute(path) ? path : resolve(dirname(entry.file), path)
  }
  return value
}

function absoluteUser(entry: Entry): Record<string, unknown> {
  const user = absolutePaths(entry, ['client-certificate', 'client-key', 'token-file', 'tokenFile'])
  // kubectl writes `tokenFile`; the client library reads `token-file` only.
  if (user['tokenFile'] !== undefined) user['token-file'] ??= user['tokenFile']
  const exec = user['exec']
  if (typeof exec === 'object' && exec !== null && 'command' in exec && typeof exec.command === 'string') {
    const command = exec.command
    const relative = !isAbsolute(command) && /[/\\]/.test(command)
    user['exec'] = { ...exec, command: relative ? resolve(dirname(entry.file), command) : command }
  }
  return user
}

function lineOfNode(lines: LineCounter, node: unknown): number | undefined {
  const range = (node as Node | null | undefined)?.range
  return range ? lines.linePos(range[0]).line : undefined
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') || path.startsWith('~\\') ? join(homedir(), path.slice(1)) : path
}
