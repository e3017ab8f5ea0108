// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import { addressFacts, linkFacts, neighbourFacts, routeFacts, ruleFacts } from './iproute2.ts'
import { run, TestNetns } from './netns.ts'

/** A small cluster of network namespaces: nodes, pods on bridges, a switch between them, and a machine outside. */
export interface Shape {
  /** Between nodes: by routes through each other's address, or in VXLAN. */
  readonly transport: 'routes' | 'vxlan'
  readonly bridgeNfCall: boolean
  readonly hairpin: boolean
  /** rp_filter of every device of the nodes. */
  readonly rpFilter: 0 | 1 | 2
  readonly routeLocalnet: boolean
  readonly forwarding: boolean
}

export const NODES = [
  { name: 'na', address: '10.60.0.1', podNetwork: '10.50.0', pods: ['a1', 'a2'] },
  { name: 'nb', address: '10.60.0.2', podNetwork: '10.50.1', pods: ['b1'] },
] as const

export const OUTSIDE = '10.60.0.100'

/** Address of a pod: the first of its node has .2, the next .3. */
export function podAddress(pod: string): string {
  for (const node of NODES) {
    const index = (node.pods as readonly string[]).indexOf(pod)
    if (index >= 0) return `${node.podNetwork}.${index + 2}`
  }
  throw new Error(`there is no pod ${pod}`)
}

/** What a connection attempt met: "name of the server, address it saw", or why there was none. */
export type Attempt =
  | { readonly kind: 'answer'; readonly server: string; readonly seen: string }
  | { readonly kind: 'refused' | 'unreachable' | 'timeout' | 'error'; readonly detail: string }

const SERVER = `
import socket, sys, threading
def serve(port):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', port)); s.listen(64)
    while True:
        c, a = s.accept()
        try: c.sendall((sys.argv[1] + ' ' + a[0]).encode())
        except OSError: pass
        c.close()
for p in sys.argv[3:]: threading.Thread(target=serve, args=(int(p),), daemon=True).start()
serve(int(sys.argv[2]))
`

/** Tries all targets at once and prints a line for each. */
const CLIENT = `
import socket, sys, errno, threading
out = {}
def attempt(i, target):
    host, port = target.split(':')
    s = socket.socket(); s.settimeout(0.7)
    try:
        s.connect((host, int(port))); out[i] = 'answer ' + s.recv(100).decode()
    except socket.timeout: out[i] = 'timeout -'
    except ConnectionRefusedError: out[i] = 'refused -'
    except OSError as e: out[i] = ('unreachable ' if e.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EINVAL, errno.EPERM) else 'error ') + errno.errorcode.get(e.errno, str(e.errno))
ts = [threading.Thread(target=attempt, args=(i, t)) for i, t in enumerate(sys.argv[1:])]
[t.start() for t in ts]; [t.join() for t in ts]
for i in range(len(ts)): print(out[i])
`

export class Topology implements AsyncDisposable {
  readonly #netns = new Map<string, TestNetns>()
  readonly #servers: ChildProcess[] = []
  readonly #peers = new Map<string, string>()
  readonly #prefix: string

  constructor(prefix: string, shape: Shape) {
    this.#prefix = prefix
    for (const name of ['sw', 'out', ...NODES.flatMap((node) => [node.name, ...node.pods])]) {
      this.#netns.set(name, new TestNetns(`${prefix}-${name}`))
      this.of(name).ip(['link set lo up'])
    }
    this.of('sw').ip(['link add br0 type bridge', 'link set br0 up'])
    this.#wire('out', 'eth0', 'sw', 'p-out')
    this.of('out').ip([`addr add ${OUTSIDE}/24 dev eth0`])
    this.of('sw').ip(['link set p-out master br0'])
    for (const node of NODES) this.#node(node, shape)
  }

  #node(node: (typeof NODES)[number], shape: Shape): void {
    const netns = this.of(node.name)
    this.#wire(node.name, 'eth0', 'sw', `p-${node.name}`)
    this.of('sw').ip([`link set p-${node.name} master br0`])
    netns.ip(['link add cni0 type bridge', 'link set cni0 up', `addr add ${node.podNetwork}.1/24 dev cni0`])
    for (const [index, pod] of node.pods.entries()) {
      this.#wire(node.name, `v-${pod}`, pod, 'eth0')
      netns.ip([`link set v-${pod} master cni0`, `link set v-${pod} type bridge_slave hairpin ${shape.hairpin ? 'on' : 'off'}`])
      this.of(pod).ip([`addr add ${node.podNetwork}.${index + 2}/24 dev eth0`, `route add default via ${node.podNetwork}.1`])
    }
    netns.sysctl(this.sysctls(node.name, shape))
    netns.ip([`addr add ${node.address}/24 dev eth0`, `route add default via ${OUTSIDE}`])
    for (const other of NODES.filter((each) => each !== node)) this.#between(netns, node, other, shape)
  }

  #between(netns: TestNetns, node: (typeof NODES)[number], other: (typeof NODES)[number], { transport }: Shape): void {
    if (transport === 'routes') {
      netns.ip([`route add ${other.podNetwork}.0/24 via ${other.address}`])
      return
    }
    const [own, far] = [node, other].map((each) => `02:00:00:00:00:0${each.address.at(-1)}`)
    netns.ip([
      `link add vx0 address ${own} type vxlan id 1 local ${node.address} dstport 8472 nolearning`,
      'link set vx0 up',
      `addr add ${node.podNetwork}.0/32 dev vx0`,
      `neigh add ${other.podNetwork}.0 lladdr ${far} dev vx0`,
      `route add ${other.podNetwork}.0/24 via ${other.podNetwork}.0 dev vx0 onlink`,
    ])
    run('bridge', ['-n', netns.name, 'fdb', 'append', String(far), 'dev', 'vx0', 'dst', other.address])
    netns.sysctl({ 'net.ipv4.conf.vx0.rp_filter': 0 })
  }

  sysctls(node: string, shape: Shape): Readonly<Record<string, string>> {
    const forward = shape.forwarding ? '1' : '0'
    const result: Record<string, string> = {
      'net.ipv4.ip_forward': forward,
      // Every refusal is told, however many there are.
      'net.ipv4.icmp_ratelimit': '0',
      'net.ipv4.conf.all.forwarding': forward,
      'net.ipv4.conf.all.rp_filter': '0',
      'net.ipv4.conf.all.route_localnet': shape.routeLocalnet ? '1' : '0',
      'net.bridge.bridge-nf-call-iptables': shape.bridgeNfCall ? '1' : '0',
    }
    for (const device of ['eth0', 'cni0', ...(NODES.find((each) => each.name === node)?.pods ?? []).map((pod) => `v-${pod}`)]) {
      result[`net.ipv4.conf.${device}.rp_filter`] = String(shape.rpFilter)
    }
    return result
  }

  #wire(a: string, aDevice: string, b: string, bDevice: string): void {
    const [left, right] = [this.of(a).name, this.of(b).name]
    run('ip', ['-n', left, 'link', 'add', aDevice, 'type', 'veth', 'peer', 'name', bDevice, 'netns', right])
    this.of(a).ip([`link set ${aDevice} up`])
    this.of(b).ip([`link set ${bDevice} up`])
    this.#peers.set(`${a}/${aDevice}`, b)
    this.#peers.set(`${b}/${bDevice}`, a)
  }

  of(name: string): TestNetns {
    const found = this.#netns.get(name)
    if (found === undefined) throw new Error(`there is no namespace ${name}`)
    return found
  }

  /** A server on each of these ports, in every pod, on the nodes and outside. */
  async serve(ports: Readonly<Record<string, readonly number[]>>): Promise<void> {
    for (const [name, list] of Object.entries(ports)) {
      const args = ['netns', 'exec', this.of(name).name, 'python3', '-c', SERVER, name, ...list.map(String)]
      this.#servers.push(spawn('ip', args, { stdio: 'ignore' }))
    }
    for (const [name, list] of Object.entries(ports)) await this.#listening(name, list)
  }

  async #listening(name: string, ports: readonly number[]): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const { stdout } = this.of(name).exec('ss', ['-Hltn'])
      if (ports.every((port) => stdout.includes(`:${port} `))) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${name} does not listen on ${ports.join(', ')}`)
  }

  /** Targets as "address:port"; one attempt each, all at once. */
  attempt(from: string, targets: readonly string[]): readonly Attempt[] {
    const { stdout, stderr } = this.of(from).exec('python3', ['-c', CLIENT, ...targets])
    const lines = stdout.trim().split('\n')
    if (lines.length !== targets.length) throw new Error(`${from}: ${stderr}`)
    return lines.map((line) => {
      const [kind, first = '', second = ''] = line.split(' ')
      if (kind === 'answer') return { kind, server: first, seen: second }
      return { kind: kind as 'refused' | 'unreachable' | 'timeout' | 'error', detail: first }
    })
  }

  /** Everything a bundle of it would hold. */
  facts(shape: Shape): ClusterFacts {
    const contents = new Map<string, Uint8Array>()
    const put = (path: string, value: unknown) =>
      contents.set(path, new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)))
    put('objects/all.json', { apiVersion: 'v1', kind: 'List', items: objects() })
    for (const node of NODES) {
      put(`nodes/${node.name}/node.json`, { kernelRelease: run('uname', ['-r']).stdout.trim(), problems: [] })
      this.#snapshot(put, node.name, node.name, 'host', this.sysctls(node.name, shape), [])
      for (const pod of node.pods) this.#snapshot(put, node.name, pod, pod, {}, [{ namespace: 'test', name: pod }])
    }
    return loadCluster(memoryFiles('topology', contents))
  }

  #snapshot(
    put: (path: string, value: unknown) => void,
    node: string,
    name: string,
    id: string,
    settings: Readonly<Record<string, string>>,
    pods: readonly { namespace: string; name: string }[],
  ): void {
    const folder = `nodes/${node}/netns/${id}`
    const netns = this.of(name)
    const json = (...args: readonly string[]) => JSON.parse(run('ip', ['-n', netns.name, '-j', '-d', ...args]).stdout || '[]')
    const raw = json('addr')
    const fdb = JSON.parse(run('bridge', ['-n', netns.name, '-j', 'fdb', 'show']).stdout || '[]') as Readonly<
      Record<string, string>
    >[]
    const plain = linkFacts(raw)
    const links = plain.map((link) => ({
      ...link,
      ...peerOf(this.#peers.get(`${name}/${link.ifname}`), name),
      fdb: fdb
        .filter((entry) => entry['ifname'] === link.ifname)
        .map((entry) => ({ lladdr: entry['mac'] ?? '', ...(entry['dst'] === undefined ? {} : { dst: entry['dst'] }) })),
    }))
    const forwarding = plain.map((link) => [`net.ipv4.conf.${link.ifname}.forwarding`, settings['net.ipv4.ip_forward'] ?? '0'])
    put(`${folder}/netns.json`, { inode: id, pods })
    put(`${folder}/sysctl.json`, { ...Object.fromEntries(forwarding), ...settings })
    put(`${folder}/links.json`, links)
    put(`${folder}/addresses.json`, addressFacts(raw))
    put(`${folder}/routes.json`, routeFacts(json('-4', 'route', 'show', 'table', 'all'), 4, links))
    put(`${folder}/rules.json`, ruleFacts(json('-4', 'rule'), 4))
    put(`${folder}/neighbours.json`, neighbourFacts(json('neigh'), links))
    put(`${folder}/iptables-nft-save.4.txt`, netns.exec('iptables-save', []).stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      const gone = once(server, 'exit')
      // `ip netns exec` has become the server itself.
      server.kill('SIGKILL')
      await gone
    }
    for (const netns of this.#netns.values()) netns[Symbol.dispose]()
  }

  get prefix(): string {
    return this.#prefix
  }
}

/** Pods and nodes are folders of one node's snapshot; the switch and what is outside are no part of it. */
function peerOf(peer: string | undefined, own: string): { readonly peerNetns?: string } {
  const isNode = (name: string) => NODES.some((node) => node.name === name)
  if (peer === undefined || peer === 'sw' || peer === 'out') return {}
  return { peerNetns: isNode(peer) && !isNode(own) ? 'host' : peer }
}

function objects(): readonly unknown[] {
  return NODES.flatMap((node) => [
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: node.name },
      spec: { podCIDRs: [`${node.podNetwork}.0/24`] },
      status: { addresses: [{ type: 'InternalIP', address: node.address }] },
    },
    ...node.pods.map((pod) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'test', name: pod },
      spec: { nodeName: node.name, containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
      status: { phase: 'Running', podIPs: [{ ip: podAddress(pod) }] },
    })),
  ])
}
