// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Netns } from '../../../core/facts/netns.ts'
import type { Family } from '../../../core/net/address.ts'
import { TestNetns } from '../../support/netns.ts'

/** What the driver saw of one packet, as hex. */
export interface Sighting {
  readonly client: readonly string[]
  readonly server: readonly string[]
  readonly local: readonly string[]
  readonly error: string | null
}

export type Place = 'client' | 'server' | 'node'

export interface Shot {
  readonly from: Place
  readonly packet: string
  readonly tag: number
  readonly uid?: number
  readonly gid?: number
}

const SYSCTLS = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv4.conf.all.route_localnet': '1',
} as const

const QUIET = ['net.ipv4.conf.all.send_redirects', 'net.ipv4.icmp_ratelimit', 'net.ipv6.icmp.ratelimit']

/**
 * Client – node – server in namespaces of their own, joined by veths. Client and server never answer: what they receive is
 * captured and dropped. The node drops what it would take in itself, after telling about it, so that it does not answer either.
 */
export class Topology implements Disposable {
  readonly client: TestNetns
  readonly node: TestNetns
  readonly server: TestNetns
  readonly #driver: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(client: TestNetns, node: TestNetns, server: TestNetns) {
    this.client = client
    this.node = node
    this.server = server
    const script = fileURLToPath(new URL('driver.py', import.meta.url))
    this.#driver = spawn('python3', [script, client.name, node.name, server.name], { stdio: ['pipe', 'pipe', 'inherit'] })
    if (!this.#driver.stdout) throw new Error('the driver has no output')
    this.#lines = createInterface({ input: this.#driver.stdout })[Symbol.asyncIterator]()
  }

  static async build(family: Family): Promise<Topology> {
    const names = ['c', 'n', 's'].map((part) => `plumbline-nf${part}${process.pid}`)
    const [client, node, server] = names.map((name) => new TestNetns(name))
    if (!client || !node || !server) throw new Error('no namespaces')
    lay(client, node, server)
    // The kernel's own IPv6 chatter would be counted by rules of both families.
    if (family === 4) for (const netns of [client, node, server]) netns.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1 })
    const topology = new Topology(client, node, server)
    await topology.#read()
    return topology
  }

  async shoot(shot: Shot): Promise<Sighting> {
    this.#driver.stdin?.write(`${JSON.stringify(shot)}\n`)
    return (await this.#read()) as Sighting
  }

  async #read(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the driver ended')
    return JSON.parse(value)
  }

  facts(): Netns {
    const own = ['n0', 'n1', 'lo'].flatMap((device) => [
      [`net.ipv4.conf.${device}.forwarding`, '1'],
      [`net.ipv4.conf.${device}.rp_filter`, '0'],
      [`net.ipv6.conf.${device}.forwarding`, '1'],
    ])
    return this.node.facts({ ...SYSCTLS, ...Object.fromEntries(own) })
  }

  [Symbol.dispose](): void {
    this.#driver.kill()
    for (const netns of [this.client, this.node, this.server]) netns[Symbol.dispose]()
  }
}

function lay(client: TestNetns, node: TestNetns, server: TestNetns): void {
  node.must('ip', ['link', 'add', 'n0', 'netns', node.name, 'type', 'veth', 'peer', 'name', 'c0', 'netns', client.name])
  node.must('ip', ['link', 'add', 'n1', 'netns', node.name, 'type', 'veth', 'peer', 'name', 's0', 'netns', server.name])
  for (const netns of [client, node, server])
    netns.sysctl({
      'net.ipv6.conf.all.accept_dad': 0,
      'net.ipv6.conf.default.accept_dad': 0,
      'net.ipv6.conf.default.router_solicitations': 0,
    })
  node.sysctl({ ...SYSCTLS, ...Object.fromEntries(QUIET.map((name) => [name, 0])), 'net.ipv4.conf.default.send_redirects': 0 })
  client.ip(['link set lo up', 'link set c0 up'])
  server.ip(['link set lo up', 'link set s0 up'])
  node.ip([
    'link set lo up',
    // Whoever a packet is for, it goes over the wire at once, without asking for link addresses.
    'link set n0 arp off up',
    'link set n1 arp off up',
    'addr add 10.1.0.1/24 dev n0',
    'addr add fd01::1/64 dev n0',
    'addr add 10.2.0.1/24 dev n1',
    'addr add fd02::1/64 dev n1',
    // Everything else is behind the server, and more clients are behind the client.
    'route add default via 10.2.0.2',
    'route add ::/0 via fd02::2',
    'route add 10.9.0.0/16 via 10.1.0.2',
    'route add fd09::/64 via fd01::2',
  ])
  for (const netns of [client, server]) netns.exec('nft', ['-f', '-'], SILENCE)
  node.exec('nft', ['-f', '-'], CATCH)
}

const SILENCE = `
table inet silence {
  chain prerouting { type filter hook prerouting priority -450; policy drop; }
}
`

/** Last on the way in: tells (NFLOG group 7) and drops. */
export const CATCH_TABLE = 'plumbline_catch'
const CATCH = `
table inet ${CATCH_TABLE} {
  chain input { type filter hook input priority 2147483646; policy drop; log group 7 snaplen 200; }
}
`
