// SPDX-License-Identifier: Apache-2.0

import type { HubbleTls, WishedWay } from '../../cluster/hubble/flowsEvent.ts'
import { UsageError } from '../errors.ts'
import type { LiveSource } from '../live.ts'
import type { Options } from '../options.ts'

/** Where flows come from, as asked for. */
export type FlowSource =
  /** JSON lines; "-" is standard input. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'bundle'; readonly path: string }
  | { readonly kind: 'server'; readonly address: string }
  | { readonly kind: 'cluster'; readonly cluster: LiveSource; readonly way: WishedWay | undefined }

/** Groups of options that exclude each other. */
const PLACES = [['input-file'], ['bundle'], ['server'], ['context', 'kubeconfig', 'port-forward', 'relay', 'node']] as const
const TLS = [
  'tls',
  'tls-allow-insecure',
  'tls-ca-cert-files',
  'tls-client-cert-file',
  'tls-client-key-file',
  'tls-server-name',
] as const

/** Nothing said: the current context's cluster. */
export function flowSource(options: Options): FlowSource {
  const places = PLACES.map((names) => options.given(names)[0]).filter((name) => name !== undefined)
  if (places.length > 1) throw conflict(places, 'flows come from one place')
  const file = options.value('input-file') ?? options.value('bundle')
  if (file !== undefined) {
    const useless = options.given([...TLS, 'follow'])[0]
    if (useless !== undefined) throw conflict([places[0] ?? '', useless], 'a file is read to its end')
    return { kind: options.value('bundle') === undefined ? 'file' : 'bundle', path: file }
  }
  const address = options.value('server')
  if (address !== undefined) return { kind: 'server', address }
  const cluster = { kind: 'live' as const, context: options.value('context'), kubeconfig: options.values('kubeconfig') }
  return { kind: 'cluster', cluster, way: wayOf(options) }
}

function wayOf(options: Options): WishedWay | undefined {
  const nodes = options.values('node')
  const relay = options.value('relay')
  if (nodes.length > 0) {
    const useless = options.given(['port-forward', 'relay', ...TLS])[0]
    if (useless !== undefined) throw conflict(['node', useless], "a node's Hubble is reached by its agent")
    return { kind: 'nodes', nodes }
  }
  if (relay !== undefined) {
    const [service, namespace] = relay.split('/').reverse()
    return { kind: 'relay', namespace, service }
  }
  return options.flag('port-forward') ? { kind: 'relay' } : undefined
}

export function tlsOf(options: Options): HubbleTls {
  return {
    enabled: options.flag('tls') || undefined,
    allowInsecure: options.flag('tls-allow-insecure') || undefined,
    caCertFiles: options.values('tls-ca-cert-files').flatMap((files) => files.split(',')),
    clientCertFile: options.value('tls-client-cert-file'),
    clientKeyFile: options.value('tls-client-key-file'),
    serverName: options.value('tls-server-name'),
  }
}

function conflict(names: readonly string[], why: string): UsageError {
  return new UsageError(`${names.map((name) => `\`--${name}\``).join(' and ')} don't go together: ${why}`)
}
