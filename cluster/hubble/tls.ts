// SPDX-License-Identifier: Apache-2.0

/** TLS over any byte stream, with the hubble client's settings, and what a failed handshake means. */

import { readFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { printable } from '../../core/text/printable.ts'
import { messageOf, PlumblineError, quoted } from '../errors.ts'
import type { HubbleTls } from './flowsEvent.ts'

/** How long a server may think about what it answers to a handshake that only wants to know whether it speaks TLS. */
const PROBE_TIMEOUT = 5_000

export interface TlsSettings {
  readonly options: ConnectionOptions
  /** Whom the certificate must be for; undefined: as the way says. */
  readonly serverName: string | undefined
}

/** Whether settings ask for TLS. Undefined: they don't say. */
export function wantsTls(tls: HubbleTls): boolean | undefined {
  const { enabled, allowInsecure, caCertFiles = [], clientCertFile, clientKeyFile, serverName } = tls
  if (enabled !== undefined) return enabled
  const implied = allowInsecure || caCertFiles.length > 0 || clientCertFile || clientKeyFile || serverName
  return implied ? true : undefined
}

/** Reads the files. Throws "hubble-tls" naming the file that can't be used. */
export async function tlsSettings(tls: HubbleTls): Promise<TlsSettings> {
  const { clientCertFile, clientKeyFile, serverName, allowInsecure } = tls
  if ((clientCertFile === undefined) !== (clientKeyFile === undefined)) {
    throw new PlumblineError('hubble-tls', "A client's certificate and its key belong together: one of them is missing")
  }
  const ca = await Promise.all((tls.caCertFiles ?? []).map(readPem))
  return {
    serverName,
    options: {
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: !allowInsecure,
      ...(ca.length > 0 && { ca }),
      ...(clientCertFile !== undefined && { cert: await readPem(clientCertFile) }),
      ...(clientKeyFile !== undefined && { key: await readPem(clientKeyFile) }),
    },
  }
}

async function readPem(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlumblineError('hubble-tls', `Can't read ${printable(file)}: ${messageOf(error)}`, error)
  })
  if (!/-----BEGIN [A-Z ]+-----/.test(text)) throw new PlumblineError('hubble-tls', `${printable(file)}: is not PEM`)
  return text
}

/** TLS in a byte stream. Returns at once. */
export function tlsOver(stream: Duplex, settings: TlsSettings, serverName: string): TLSSocket {
  const name = settings.serverName ?? serverName
  // An address is no name that could be asked for (RFC 6066, 3), but the certificate may well be for it.
  const servername = /^[\d.]+$|:/.test(name) ? '' : name
  try {
    const socket = connect({ ...settings.options, socket: stream, servername, host: name })
    stream.on('error', (error) => socket.destroy(error))
    return socket
  } catch (error) {
    stream.destroy()
    throw new PlumblineError('hubble-tls', `The client's certificate or key can't be used: ${messageOf(error)}`, error)
  }
}

/** Whether a server answers a TLS handshake, whatever it thinks of it. */
export function speaksTls(stream: Duplex): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tlsOver(
      stream,
      { options: { ALPNProtocols: ['h2'], rejectUnauthorized: false }, serverName: undefined },
      'hubble',
    )
    const answer = (yes: boolean) => {
      clearTimeout(late)
      socket.destroy()
      stream.destroy()
      resolve(yes)
    }
    const late = setTimeout(() => answer(false), PROBE_TIMEOUT)
    socket.once('secureConnect', () => answer(true))
    socket.once('error', (error) => answer(/ALERT/.test(codeOf(error))))
    socket.once('close', () => answer(false))
  })
}

/** A reason to try whether the other side speaks TLS: it broke off before it said anything that is HTTP/2. */
export function mayBeTls(error: unknown): boolean {
  return PlumblineError.is(error, 'tunnel') || PlumblineError.is(error, 'unreachable') || PlumblineError.is(error, 'timeout')
}

export function needsTls(peer: string): PlumblineError {
  return new PlumblineError(
    'hubble-tls',
    `${peer} speaks TLS: add \`--tls\` with \`--tls-ca-cert-files FILE\` (the CA that signed its certificate), or \`--tls-allow-insecure\` to trust whoever answers`,
  )
}

const UNKNOWN_CA: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
])
const NOT_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|HTTP_REQUEST|RECORD_LAYER_FAILURE)$/

/** What a failed handshake means; undefined when it is no matter of TLS. */
export function tlsProblem(peer: string, error: unknown): PlumblineError | undefined {
  const code = codeOf(error)
  const problem = (text: string) => new PlumblineError('hubble-tls', `${peer}: ${text}`, error)
  if (UNKNOWN_CA.has(code)) {
    return problem(
      `its certificate is signed by a CA that is not trusted here (${messageOf(error)}); name the CA with \`--tls-ca-cert-files\``,
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return problem(wrongName(error))
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return problem(`its certificate is out of date: ${messageOf(error)}`)
  if (/ALERT_CERTIFICATE_REQUIRED/.test(code) || /ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return problem('it wants a certificate of its clients: add `--tls-client-cert-file` and `--tls-client-key-file`')
  }
  if (/ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/.test(code)) {
    return problem(`it does not accept the client's certificate (${code})`)
  }
  if (NOT_TLS.test(code) || /disconnected before secure TLS connection/.test(messageOf(error))) {
    return problem('it does not speak TLS; leave `--tls` out')
  }
  return /^ERR_(SSL|TLS)_/.test(code) ? problem(`TLS failed: ${messageOf(error)}`) : undefined
}

function wrongName(error: unknown): string {
  const { host, cert } = error as { host?: string; cert?: { subjectaltname?: string; subject?: { CN?: string } } }
  const names = cert?.subjectaltname ?? cert?.subject?.CN ?? 'nobody'
  return `its certificate is for ${printable(names)}, not for ${quoted(host ?? '?')}; name whom you expect with \`--tls-server-name\``
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
