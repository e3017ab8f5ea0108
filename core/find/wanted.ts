// SPDX-License-Identifier: Apache-2.0

import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress, parseAddress, sameAddress } from '../net/address.ts'
import { parsePrefix, type Prefix, prefixContains } from '../net/prefix.ts'

/** What everything is to be found about: addresses, an identity, or both. */
export interface Wanted {
  readonly addresses: readonly Address[]
  readonly identity: number | undefined
}

/** What is wrong with a question, for whoever asked it. */
export class FindError extends Error {
  override readonly name = 'FindError'
}

/**
 * Understands an address ("10.0.0.1", "fd00::1", also with a port or prefix length behind), "identity:12345", and the names of things that have
 * addresses: "pod:shop/web", "svc:shop/db", "node:n1".
 * @throws FindError
 */
export function parseWanted(text: string, objects: ClusterObjects): Wanted {
  const query = text.trim()
  const [, kind, rest] = /^(identity|pod|svc|service|node|host):(.+)$/.exec(query) ?? []
  if (kind === 'identity') {
    if (!/^\d{1,10}$/.test(rest ?? '') || Number(rest) > 0xffffffff)
      throw new FindError(`\`${rest}\` is not the number of an identity`)
    return { addresses: [], identity: Number(rest) }
  }
  if (kind !== undefined) return { addresses: addressesOf(kind, rest ?? '', objects), identity: undefined }
  const address = parseAddress(bare(query))
  if (address === undefined) {
    throw new FindError(
      `\`${query}\` is neither an address nor \`identity:NUMBER\`, \`pod:NAMESPACE/NAME\`, \`svc:NAMESPACE/NAME\` or \`node:NAME\``,
    )
  }
  return { addresses: [address], identity: undefined }
}

/** Without brackets, port or prefix length. */
function bare(text: string): string {
  const bracketed = /^\[([^\]]+)\](:\d+)?$/.exec(text)?.[1]
  if (bracketed !== undefined) return bracketed
  return /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text.replace(/\/\d+$/, '')
}

function addressesOf(kind: string, name: string, objects: ClusterObjects): readonly Address[] {
  const found = lookUp(kind, name, objects)
  if (found === undefined) throw new FindError(`there is no ${kind} \`${name}\` among the facts`)
  if (found.length === 0) throw new FindError(`${kind} \`${name}\` has no address`)
  return found
}

function lookUp(kind: string, name: string, objects: ClusterObjects): readonly Address[] | undefined {
  switch (kind) {
    case 'pod':
      return objects.pods.get(name)?.podIPs
    case 'node':
    case 'host': {
      const node = objects.nodes.get(name)
      return node && [...node.internalIPs, ...node.externalIPs]
    }
    default: {
      const service = objects.services.get(name)
      return service && [...service.clusterIPs, ...service.externalIPs, ...service.loadBalancerIPs.map(({ address }) => address)]
    }
  }
}

export function wantedText({ addresses, identity }: Wanted): string {
  return [...addresses.map(formatAddress), ...(identity === undefined ? [] : [`identity ${identity}`])].join(', ')
}

/** How something mentions what is wanted: itself, or as one of a network with so many bits. */
export type Mention = { readonly how: 'exact' } | { readonly how: 'contains'; readonly bits: number }

export function mentionsAddress({ addresses }: Wanted, address: Address): Mention | undefined {
  return addresses.some((each) => sameAddress(each, address)) ? { how: 'exact' } : undefined
}

export function mentionsPrefix(wanted: Wanted, prefix: Prefix): Mention | undefined {
  const full = prefix.address.family === 4 ? 32 : 128
  if (!wanted.addresses.some((address) => prefixContains(prefix, address))) return undefined
  return prefix.bits === full ? { how: 'exact' } : { how: 'contains', bits: prefix.bits }
}

/** Everything in a line that may be an address, a network or a range. Word characters around one make it part of a name. */
const TOKEN =
  /(?<![\w.:-])(?:[0-9a-f]*:[0-9a-f:]*(?:[0-9a-f]|::)|\d{1,3}(?:\.\d{1,3}){3})(?:\/\d{1,3})?(?:-[0-9a-f:.]+)?(?![\w.]*\w)/gi

/** The best mention of what is wanted in a line of text. */
export function mentionedIn(line: string, wanted: Wanted): Mention | undefined {
  let best: Mention | undefined
  for (const [token] of line.matchAll(TOKEN)) {
    const mention = mentionOf(token, wanted)
    if (mention?.how === 'exact') return mention
    if (mention !== undefined && (best?.how !== 'contains' || mention.bits > best.bits)) best = mention
  }
  return best
}

/** Of one word: an address, a network, or a range. */
export function mentionOf(token: string, wanted: Wanted): Mention | undefined {
  const dash = token.indexOf('-')
  if (dash > 0) return withinRange(token.slice(0, dash), token.slice(dash + 1), wanted)
  if (token.includes('/')) {
    const prefix = parsePrefix(token)
    return prefix === undefined ? undefined : mentionsPrefix(wanted, prefix)
  }
  const address = parseAddress(token)
  return address === undefined ? undefined : mentionsAddress(wanted, address)
}

function withinRange(from: string, to: string, { addresses }: Wanted): Mention | undefined {
  const [low, high] = [parseAddress(from), parseAddress(to)]
  if (low === undefined || high?.family !== low.family) return undefined
  const isWithin = addresses.some(({ family, value }) => family === low.family && value >= low.value && value <= high.value)
  if (!isWithin) return undefined
  const size = BigInt(high.value) - BigInt(low.value) + 1n
  return { how: 'contains', bits: (low.family === 4 ? 32 : 128) - (size.toString(2).length - 1) }
}
