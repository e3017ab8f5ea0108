// SPDX-License-Identifier: Apache-2.0

import type { Random } from '../support/random.ts'

/** A random nft rule for an inet table with the corpus's sets. The kernel may refuse it. */
export function randomRule(random: Random): string {
  const matches = Array.from({ length: random.below(4) }, () => randomMatch(random))
  const counter = random.below(3) === 0 ? ['counter'] : []
  const comment = random.below(4) === 0 ? [`comment "${random.pick(['x', 'a b', 'c, d', '# e', '{ f }'])}"`] : []
  return [...matches, ...counter, randomEnd(random), ...comment].join(' ')
}

function randomMatch(random: Random): string {
  const kind = random.pick(KINDS)
  const operator = random.pick(['', '', '!= '])
  switch (random.below(kind.ordered ? 5 : 3)) {
    case 0:
      return `${kind.key} ${operator}${kind.value(random)}`
    case 1:
      return `${kind.key} ${operator}{ ${unique(random, kind.value).join(', ')} }`
    case 2:
      return concatenation(random)
    case 3: {
      const [from, to] = [kind.number(random), kind.number(random)].sort((a, b) => a - b)
      return `${kind.key} ${operator}${from}-${to}`
    }
    default:
      return `${kind.key} ${random.pick(['<', '>', '<=', '>='])} ${kind.number(random)}`
  }
}

function concatenation(random: Random): string {
  const parts = [random.pick(JOINABLE), random.pick(JOINABLE)]
  const elements = unique(random, () => parts.map((part) => part.value(random)).join(' . '))
  const keys = parts.map((part) => part.key).join(' . ')
  if (random.below(2) === 0) return `${keys} { ${elements.join(', ')} }`
  return `${keys} vmap { ${elements.map((element) => `${element} : ${verdict(random)}`).join(', ')} }`
}

function unique(random: Random, value: (random: Random) => string): string[] {
  return [...new Set(Array.from({ length: 1 + random.below(4) }, () => value(random)))]
}

function verdict(random: Random): string {
  return random.pick(['accept', 'drop', 'continue', 'return', 'jump other', 'goto other'])
}

function randomEnd(random: Random): string {
  switch (random.below(8)) {
    case 0:
      return `meta mark set ${random.pick(['meta mark', 'ct mark'])} ${random.pick(['&', '|', '^'])} ${random.below(65536)}`
    case 1:
      return `ct mark set ${random.below(65536)}`
    case 2:
      return `limit rate ${random.pick(['', 'over '])}${1 + random.below(100)}/${random.pick(['second', 'minute', 'hour', 'day'])} ${verdict(random)}`
    case 3:
      return `numgen ${random.pick(['inc', 'random'])} mod 4 offset ${random.below(3)} vmap { 0-2 : ${verdict(random)}, 3 : ${verdict(random)} }`
    case 4:
      return `${random.pick(['add', 'update'])} @seen { ip saddr . tcp dport timeout ${1 + random.below(90)}s }`
    case 5:
      return `log prefix "${random.pick(['x', 'a: ', 'b { '])}" ${verdict(random)}`
    case 6:
      return `ip daddr . meta l4proto . th dport vmap @services`
    default:
      return verdict(random)
  }
}

interface Kind {
  readonly key: string
  readonly ordered: boolean
  value(random: Random): string
  number(random: Random): number
}

function words(key: string, ...choices: readonly string[]): Kind {
  return { key, ordered: false, value: (random) => random.pick(choices), number: () => 0 }
}

function numbers(key: string, limit: number): Kind {
  return { key, ordered: true, value: (random) => String(random.below(limit)), number: (random) => random.below(limit) }
}

function ipv4(key: string): Kind {
  const byte = (random: Random) => random.below(256)
  const address = (random: Random) => [byte(random), byte(random), byte(random), byte(random)].join('.')
  return {
    key,
    ordered: false,
    value: (random) => (random.below(3) === 0 ? `${byte(random)}.0.0.0/8` : address(random)),
    number: () => 0,
  }
}

const KINDS: readonly Kind[] = [
  ipv4('ip saddr'),
  ipv4('ip daddr'),
  ipv4('ct original ip saddr'),
  words('ip6 saddr', '::1', 'fe80::/10', '2001:db8::5', 'fd00::/8', '::ffff:1.2.3.4'),
  words('meta l4proto', 'tcp', 'udp', 'icmp', '200', 'sctp'),
  words('iifname', '"eth0"', '"cali*"', '"lo"', '"a-b"', '"x.1"'),
  words('oifname', '"eth0"', '"veth*"', '"br-1"'),
  words('ct state', 'new', 'established', 'related', 'invalid', 'untracked'),
  words('ct status', 'dnat', 'snat', 'assured'),
  words('ct direction', 'original', 'reply'),
  words('fib daddr type', 'local', 'unicast', 'broadcast', 'multicast'),
  words('tcp flags', 'syn', 'ack', 'fin', 'rst'),
  words('icmp type', 'echo-request', 'echo-reply', 'redirect', '77'),
  words('icmpv6 type', 'echo-request', 'nd-neighbor-advert', '200'),
  words('meta protocol', 'ip', 'ip6', 'arp', '8021q'),
  words('ip dscp', 'cs1', 'af11', 'ef', '5'),
  words('meta pkttype', 'host', 'broadcast', 'multicast'),
  numbers('tcp dport', 65536),
  numbers('udp sport', 65536),
  numbers('th dport', 65536),
  numbers('meta mark', 4294967296),
  numbers('ct mark', 65536),
  numbers('ip ttl', 256),
  numbers('ip length', 65536),
  numbers('meta length', 65536),
  numbers('meta skuid', 70000),
  numbers('ip6 hoplimit', 256),
  numbers('ct zone', 65536),
  numbers('meta cpu', 64),
]

/** nft 1.0.6 aborts when it lists concatenations with these. */
const JOINABLE = KINDS.filter((kind) => kind.key !== 'ip dscp' && kind.key !== 'fib daddr type')
