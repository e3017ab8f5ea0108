// SPDX-License-Identifier: Apache-2.0

import type { FindSink } from './found.ts'
import { mentionedIn, type Wanted } from './wanted.ts'

/**
 * Lines of a ruleset, as the tool printed it, that hold what is wanted: rules, and elements of sets. A line's place is told from
 * the lines before it, so nothing has to be understood for it to be found.
 */
export function findInRules(file: string, text: string, wanted: Wanted, node: string, sink: FindSink): void {
  const place = placesIn(file)
  let number = 0
  for (const line of text.split('\n')) {
    number++
    const at = place(line)
    if (at === undefined) continue
    const mention = mentionedIn(line, wanted)
    if (mention === undefined) continue
    sink({
      group: at.isSet ? 'sets' : 'rules',
      node,
      place: at.name,
      text: line.trim(),
      within: mention.how === 'exact' ? undefined : mention.bits,
      evidence: { kind: 'file', file, line: number, text: line },
    })
  }
}

interface RulePlace {
  readonly name: string
  readonly isSet: boolean
}

/** Told every line in order; says where it stands, or that it can hold nothing. */
type Places = (line: string) => RulePlace | undefined

function placesIn(file: string): Places {
  const name = file.slice(file.lastIndexOf('/') + 1)
  if (name.startsWith('ipset')) return (line) => ({ name: `ipset ${line.split(' ')[1] ?? ''}`, isSet: true })
  if (name.startsWith('nft')) return nftPlaces()
  return savedPlaces(name.replace(/-save.*$/, ''))
}

/** iptables-save: `*table`, then `-A CHAIN …`. */
function savedPlaces(tool: string): Places {
  let table = ''
  return (line) => {
    if (line.startsWith('*')) table = line.slice(1).trim()
    const chain = /^(?:\[\d+:\d+\] )?-A (\S+)/.exec(line)?.[1]
    return chain === undefined ? undefined : { name: `${tool} ${table}/${chain}`, isSet: false }
  }
}

/** `nft list ruleset`: `table ip nat {`, within it `chain X {`, `set X {` or `map X {`. */
function nftPlaces(): Places {
  let table = ''
  let block = ''
  let isSet = false
  return (line) => {
    const [, family, name] = /^table (\S+) (\S+) \{/.exec(line) ?? []
    if (name !== undefined) table = `${family} ${name}`
    const [, kind, inner] = /^\t(chain|set|map|flowtable|counter) (\S+) \{/.exec(line) ?? []
    if (inner !== undefined) {
      block = inner
      isSet = kind !== 'chain'
    }
    return { name: `nft ${table}/${block}`, isSet }
  }
}
