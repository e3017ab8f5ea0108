// SPDX-License-Identifier: Apache-2.0

import { globSync, readFileSync } from 'node:fs'
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { GetFlowsResponseSchema } from '../gen/hubble/observer/observer_pb.js'

/** What the lab's Hubble recorded, as a cluster of many pods would send it: each with other pods, addresses, ports and UUIDs. */
export class FlowMessages {
  readonly #templates: readonly Template[]
  readonly lines: readonly string[]

  constructor(variants: number) {
    const recorded = globSync('test/fixtures/raw/*/hubble/*.jsonl').flatMap((file) =>
      readFileSync(file, 'utf8').trimEnd().split('\n'),
    )
    this.lines = Array.from({ length: variants }, (_, variant) => recorded.map((line) => varied(line, variant))).flat()
    this.#templates = this.lines.map(templateOf)
  }

  /** Bytes of the flow with this number; their own, as they come from a connection. */
  bytes(number: number): Uint8Array {
    const template = this.#templates[(Math.imul(number, 7919) >>> 0) % this.#templates.length]
    if (template === undefined) throw new Error('nothing was recorded')
    const bytes = template.bytes.slice()
    const digits = number.toString(16).padStart(8, '0')
    for (let index = 0; index < 8; index++) bytes[template.uuid + index] = digits.charCodeAt(index)
    if (template.port >= 0) {
      const port = 32_768 + (number % 28_000)
      bytes[template.port] = (port & 127) | 128
      bytes[template.port + 1] = ((port >>> 7) & 127) | 128
      bytes[template.port + 2] = port >>> 14
    }
    return bytes
  }
}

interface Template {
  readonly bytes: Uint8Array
  readonly uuid: number
  /** Where a client's port is; -1: it has none. */
  readonly port: number
}

const UUID = '00000000-5bdd-4c47-904b-169aed282a7f'

function templateOf(line: string): Template {
  const flow = line.replace(/"uuid":"[^"]*"/, `"uuid":"${UUID}"`)
  const bytes = binary(flow)
  const other = binary(flow.replace(/(_port":)(3[3-9]|[45]\d)\d{3}\b/, '$140001'))
  const same = binary(flow.replace(/(_port":)(3[3-9]|[45]\d)\d{3}\b/, '$140002'))
  return { bytes, uuid: indexOf(bytes, UUID), port: other.findIndex((byte, index) => byte !== same[index]) }
}

function binary(line: string): Uint8Array {
  return toBinary(GetFlowsResponseSchema, fromJson(GetFlowsResponseSchema, JSON.parse(line) as JsonValue))
}

function indexOf(bytes: Uint8Array, text: string): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text)
}

function varied(line: string, variant: number): string {
  const suffix = variant.toString(36).padStart(5, '0')
  return line
    .replace(/("pod_name":"[a-z]+-(?:[a-z0-9]+-)?)[a-z0-9]{5}"/g, `$1${suffix}"`)
    .replace(/("(?:source|destination)":"10\.)\d+\./g, `$1${variant % 250}.`)
}
