// SPDX-License-Identifier: Apache-2.0

/** A Hubble server's address as the hubble client takes it: `host:port`, `tls://host:port` or `unix:///path`. */

import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { printable } from '../../core/text/printable.ts'
import { PlumblineError } from '../errors.ts'

export interface ServerAddress {
  readonly open: () => Duplex
  readonly host: string
  /** Says it by itself. */
  readonly tls: boolean
}

const CONNECT_TIMEOUT = 10_000
const ENDPOINT = /^(?:\[(?<six>[^\]]+)\]|(?<name>[^:/[\]]+)):(?<port>\d{1,5})$/

/** Throws "hubble" when it is none. */
export function parseServerAddress(text: string): ServerAddress {
  const path = /^unix:(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (path !== undefined) return { open: () => connect({ path }), host: 'localhost', tls: false }
  const tls = text.startsWith('tls://')
  const { six, name = six ?? '', port = '0' } = ENDPOINT.exec(text.replace(/^tls:\/\//, ''))?.groups ?? {}
  if (name === '' || Number(port) < 1 || Number(port) > 65535) {
    throw new PlumblineError(
      'hubble',
      `\`${printable(text)}\` is no address of a Hubble: host:port, tls://host:port or unix:///path`,
    )
  }
  return { open: () => dial(name, Number(port)), host: name, tls }
}

function dial(host: string, port: number): Duplex {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 20_000 })
  const late = setTimeout(() => socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT / 1000} s`)), CONNECT_TIMEOUT)
  socket.once('connect', () => clearTimeout(late)).once('close', () => clearTimeout(late))
  return socket
}
