// SPDX-License-Identifier: Apache-2.0

/**
 * What one traversal costs on rule sets of different sizes. Targets: at 30,000 services at most twice the time of 100, and at
 * most a hundredth of looking at every rule. The traced service is the last one: the worst case of a scan.
 */
import { type Address, parseAddress } from '../core/net/address.ts'
import { type Flight, IPPROTO, TCP_FLAG } from '../core/net/packet.ts'
import { Netfilter } from '../core/netfilter/evaluate.ts'
import { parseIptablesSave } from '../core/netfilter/iptables/save.ts'
import { looseEnvironment } from '../core/netfilter/loose-environment.ts'
import { print, takeTurns, timed } from './measure.ts'
import { generatedServices, kubeProxyIptables } from './ruleset-generator.ts'

const smoke = process.argv.includes('--smoke')
const sizes = smoke ? [20, 40] : [100, 30_000]
const rounds = smoke ? 1 : 15
const TRACES = smoke ? 2 : 200

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`no address: ${text}`)
  return parsed
}

function flightTo(destination: string, port: number): Flight {
  return {
    packet: {
      family: 4,
      protocol: IPPROTO.tcp,
      src: address('10.128.0.200'),
      dst: address(destination),
      sport: 40_000,
      dport: port,
      icmp: undefined,
      tcpFlags: TCP_FLAG.syn,
      length: 60,
      ttl: 64,
      dscp: 0,
      srcMac: undefined,
      dstMac: undefined,
    },
    mark: 0,
    iif: 'cni0',
    oif: undefined,
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: undefined,
    socket: undefined,
  }
}

const environment = looseEnvironment({ addresses: [{ address: address('192.0.2.1'), device: 'eth0' }] })

interface World {
  readonly name: string
  readonly first: number
  trace(): void
  scan(): void
}

function world(services: number): World {
  const shape = { services, endpointsPerService: 3 }
  const rules = parseIptablesSave(kubeProxyIptables(shape), 'bench')
  const last = generatedServices(shape).at(-1)
  if (!last) throw new Error('no service')
  const flight = flightTo(last.clusterIp, last.port)
  const indexed = new Netfilter(rules, new Map(), environment)
  const linear = new Netfilter(rules, new Map(), environment, { indexed: false })
  const traverse = (netfilter: Netfilter) => {
    const branches = netfilter.traverse('ip', 'prerouting', flight)
    if (branches.length !== 3) throw new Error(`${branches.length} branches instead of 3`)
  }
  const first = timed(() => traverse(indexed))
  traverse(linear)
  return { name: `${services}`, first, trace: () => traverse(indexed), scan: () => traverse(linear) }
}

const worlds = sizes.map(world)
const [small, large] = worlds
if (!small || !large) throw new Error('two sizes to compare')
for (const { name, first } of worlds)
  print(`${name} services: first trace, with reading of rules and index, ${first.toFixed(1)} ms`)
// Both sizes warm up alike.
for (let i = 0; i < TRACES * 2; i++) for (const each of worlds) each.trace()
const medians = await takeTurns(
  [
    ...worlds.map((each) => ({
      name: each.name,
      run: () =>
        timed(() => {
          for (let i = 0; i < TRACES; i++) each.trace()
        }) / TRACES,
    })),
    { name: 'scan', run: () => timed(() => large.scan()) },
  ],
  rounds,
)
const of = (name: string) => medians.get(name) ?? Number.NaN
print(
  `trace at ${small.name} services ${(of(small.name) * 1000).toFixed(0)} µs, at ${large.name} ${(of(large.name) * 1000).toFixed(0)} µs: ${(of(large.name) / of(small.name)).toFixed(2)}×`,
)
print(
  `looking at every rule at ${large.name}: ${of('scan').toFixed(2)} ms, ${(of('scan') / of(large.name)).toFixed(0)}× the indexed trace`,
)
