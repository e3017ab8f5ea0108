// SPDX-License-Identifier: Apache-2.0

import { isIP } from 'node:net'
import type { TraceAnswer } from '../../core/path/answer.ts'

/**
 * A copy in which every address and name is replaced by a stand-in, the same one for the same name everywhere, so that a
 * report can be read and reasoned about without saying whose cluster it is.
 */
export function redacted(answer: TraceAnswer): TraceAnswer {
  const names = new StandIns()
  collectNames(answer, names)
  return JSON.parse(JSON.stringify(answer), (_key, value: unknown) =>
    typeof value === 'string' ? names.replace(value) : value,
  ) as TraceAnswer
}

const ADDRESS =
  /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*::[0-9a-fA-F:.]*|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4})(?![\w.])/g

class StandIns {
  readonly #names = new Map<string, string>()
  readonly #addresses = new Map<string, string>()
  #pattern: RegExp | undefined

  name(kind: string, name: string): void {
    if (name.length < 2 || this.#names.has(name)) return
    this.#names.set(name, `${kind}-${this.#names.size + 1}`)
    this.#pattern = undefined
  }

  replace(text: string): string {
    // Longest first: "web" must not be replaced within "web-7d9".
    this.#pattern ??= new RegExp(
      `(?<![\\w])(?:${
        [...this.#names.keys()]
          .sort((a, b) => b.length - a.length)
          .map(escaped)
          .join('|') || '(?!)'
      })(?![\\w])`,
      'g',
    )
    const named = text.replace(this.#pattern, (name) => this.#names.get(name) ?? name)
    return named.replace(ADDRESS, (address) => this.#address(address))
  }

  /** Documentation prefixes (RFC 5737, RFC 3849), so that a stand-in is never somebody's address. */
  #address(address: string): string {
    const family = isIP(address)
    if (family === 0) return address
    const known = this.#addresses.get(address)
    if (known !== undefined) return known
    const index = this.#addresses.size + 1
    const made = family === 4 ? `198.51.${100 + Math.floor(index / 250)}.${index % 250}` : `2001:db8::${index.toString(16)}`
    this.#addresses.set(address, made)
    return made
  }
}

function collectNames(answer: TraceAnswer, names: StandIns): void {
  for (const place of [answer.question.from, answer.question.to]) addPlace(place, names)
  for (const step of answer.lanes.flatMap((lane) => lane.outcomes).flatMap((outcome) => outcome.steps)) {
    names.name('node', step.node)
    addPlace(step.netns, names)
    if (step.evidence?.kind === 'object') {
      names.name('ns', step.evidence.namespace)
      names.name('object', step.evidence.name)
    }
  }
  for (const rule of answer.difference?.bypassedRules ?? []) names.name('node', rule.node)
}

function addPlace(place: string, names: StandIns): void {
  const [, kind, first, second] = /^(pod|svc|service|host|node):([^/:]+)(?:\/([^/:]+))?/.exec(place) ?? []
  if (kind === undefined || first === undefined) return
  if (second === undefined) {
    names.name('node', first)
  } else {
    names.name('ns', first)
    names.name(kind === 'pod' ? 'pod' : 'svc', second)
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
