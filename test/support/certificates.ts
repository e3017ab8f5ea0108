// SPDX-License-Identifier: Apache-2.0

/** A certificate authority for a test, and certificates of it, as PEM files in a folder. */

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

export class TestAuthority {
  readonly cert: string
  readonly #folder: string
  readonly #key: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.cert = join(folder, `${name}.crt`)
    this.#key = join(folder, `${name}.key`)
    openssl('req', '-x509', ...keyInto(this.#key), '-out', this.cert, '-subj', `/CN=${name}`, '-days', '2')
  }

  /** For a server of that name, or a client. */
  issue(name: string): CertificatePair {
    const file = (suffix: string) => join(this.#folder, `${name.replace(/\W/g, '_')}.${suffix}`)
    const [cert, key, request, extensions] = [file('crt'), file('key'), file('csr'), file('ext')]
    writeFileSync(extensions, `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    openssl('req', '-new', ...keyInto(key), '-out', request, '-subj', `/CN=${name}`)
    const signer = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial']
    openssl('x509', '-req', '-in', request, ...signer, '-out', cert, '-days', '2', '-extfile', extensions)
    return { cert, key }
  }
}

function keyInto(file: string): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file]
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
