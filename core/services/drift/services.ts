// SPDX-License-Identifier: Apache-2.0

import { FLAG } from '../../ebpf/cilium/balance.ts'
import type { Entry } from '../../ebpf/cilium/entries.ts'
import type { NodeObject } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { type Address, type Family, formatAddress, formatEndpoint, sameAddress } from '../../net/address.ts'
import { compareBackends } from './backends.ts'
import { type ExpectedFrontend, expectedServices, healthChecks, nowhere } from './expected.ts'
import { compareMaster } from './master.ts'
import { frontendName, missingEntry, servicesMap } from './phrases.ts'
import { keyOfFrontend, keyOfMaster, ProgrammedServices } from './programmed.ts'
import type { DriftFinding, NotCompared } from './report.ts'

export interface ServiceDrift {
  readonly findings: readonly DriftFinding[]
  readonly frontends: number
  readonly backends: number
  readonly notCompared: readonly NotCompared[]
}

/** The services of a node with Cilium against what the objects ask for. */
export function serviceDrift(objects: ClusterObjects, node: NodeObject, snapshot: NodeSnapshot): ServiceDrift {
  const { frontends, passedOver, notCompared } = expectedServices(objects, node)
  const checks = healthChecks(objects)
  const each = ([4, 6] as const).map((family): ServiceDrift => {
    const programmed = ProgrammedServices.read(snapshot, family)
    const own = frontends.filter(({ address }) => address.family === family)
    if (programmed !== undefined) return familyDrift({ frontends: own, passedOver, checks }, programmed, node)
    if (own.length === 0) return NOTHING
    const reason = `the snapshot does not hold ${servicesMap(family)} and its backends as a whole`
    return { ...NOTHING, notCompared: [{ what: `Services of IPv${family}`, reason }] }
  })
  return {
    findings: each.flatMap(({ findings }) => findings),
    frontends: each.reduce((sum, part) => sum + part.frontends, 0),
    backends: each.reduce((sum, part) => sum + part.backends, 0),
    notCompared: [...notCompared, ...each.flatMap((part) => part.notCompared)],
  }
}

const NOTHING: ServiceDrift = { findings: [], frontends: 0, backends: 0, notCompared: [] }

/** What the objects ask for, and what is left alone. */
interface Asked {
  readonly frontends: readonly ExpectedFrontend[]
  readonly passedOver: readonly ExpectedFrontend[]
  readonly checks: ReadonlySet<string>
}

function familyDrift({ frontends, passedOver, checks }: Asked, programmed: ProgrammedServices, node: NodeObject): ServiceDrift {
  const masters = programmed.masters()
  const { wanted, notCompared } = wantedOf(frontends, masters, programmed.family, node)
  const compared = compareWanted(wanted, programmed)
  const others = atAddresses(passedOver, masters)
  const leftAlone = new Set(others.flatMap((frontend) => [keyOfFrontend(frontend, false), keyOfFrontend(frontend, true)]))
  const unasked = masters.filter((master) => {
    const key = keyOfMaster(master)
    return !compared.seen.has(key) && !leftAlone.has(key) && !isCiliumsOwn(master, checks)
  })
  const extra = compareUnasked(unasked, wanted, programmed.family)
  return {
    findings: [...compared.findings, ...extra.findings],
    frontends: wanted.length,
    backends: compared.backends,
    notCompared: [...notCompared, ...compared.notCompared, ...extra.notCompared],
  }
}

/** The entries to look for: without kube-proxy replacement Cilium balances cluster IPs alone, and others do the rest. */
function wantedOf(frontends: readonly ExpectedFrontend[], masters: readonly Entry[], family: Family, node: NodeObject) {
  const replaces = masters.some((master) => (master.value('flags') & FLAG.routable) !== 0)
  const asked = frontends.filter(({ kind }) => replaces || kind === 'ClusterIP')
  const what = `Node ports, external addresses and host ports of IPv${family}`
  const reason = 'no entry of the maps is for the outside: Cilium does not replace kube-proxy here'
  const wanted = atAddresses(asked, masters)
  const hasNodePorts = wanted.some(({ kind }) => kind === 'NodePort')
  const notCompared: readonly NotCompared[] = [
    ...(asked.length < frontends.length ? [{ what, reason }] : []),
    ...(hasNodePorts ? unanswered(node, answering(masters, FLAG.nodePort), family) : []),
  ]
  return { wanted, notCompared }
}

/** What was looked for, one by one. */
function compareWanted(wanted: readonly ExpectedFrontend[], programmed: ProgrammedServices) {
  const [findings, notCompared]: [DriftFinding[], NotCompared[]] = [[], []]
  const seen = new Set<string>()
  const unknownBackends = new Map<number, ExpectedFrontend>()
  let backends = 0
  for (const frontend of wanted) {
    const found = programmed.frontend(frontend)
    const other = found === undefined ? undefined : notReadable(found.master)
    if (found !== undefined) seen.add(keyOfMaster(found.master))
    if (found === undefined) findings.push(missing(frontend))
    else if (other !== undefined) notCompared.push({ what: frontendName(frontend), reason: other })
    else {
      backends += frontend.backends.length
      findings.push(
        ...compareMaster(frontend, found, programmed),
        ...compareBackends(frontend, found, programmed, unknownBackends),
      )
    }
  }
  return { findings, notCompared, seen, backends }
}

/** Addresses of the node that it answers such ports on: the agent chooses them by the node's devices. */
function answering(masters: readonly Entry[], flags: number): readonly Address[] {
  const addresses = masters
    .filter((master) => (master.value('flags') & flags) !== 0)
    .map((master) => master.keyAddress('address'))
    .filter((address) => !sameAddress(address, nowhere(address.family)))
  return [...new Map(addresses.map((address) => [formatAddress(address), address])).values()]
}

/** Ports of the node are under address 0, and once more under each address it answers on. */
function atAddresses(frontends: readonly ExpectedFrontend[], masters: readonly Entry[]): readonly ExpectedFrontend[] {
  const isEverywhere = ({ address }: ExpectedFrontend) => sameAddress(address, nowhere(address.family))
  const own = frontends.filter((frontend) => frontend.kind === 'HostPort' && !isEverywhere(frontend))
  const nodePorts = answering(masters, FLAG.nodePort)
  // A pod may have asked for one address alone: the others are not there.
  const hostPorts = answering(masters, FLAG.nodePort | FLAG.hostPort).filter(
    (address) => nodePorts.some((each) => sameAddress(each, address)) || !own.some((each) => sameAddress(each.address, address)),
  )
  return frontends.flatMap((frontend) => {
    if (!isEverywhere(frontend) || !['NodePort', 'HostPort'].includes(frontend.kind)) return [frontend]
    const addresses = frontend.kind === 'NodePort' ? nodePorts : hostPorts
    return [frontend, ...addresses.map((address) => ({ ...frontend, address }))]
  })
}

function unanswered(node: NodeObject, addresses: readonly Address[], family: Family): readonly NotCompared[] {
  return node.internalIPs
    .filter((address) => address.family === family && !addresses.some((each) => sameAddress(each, address)))
    .map((address) => ({
      what: `Node ports at ${formatAddress(address)}`,
      reason:
        'no entry of the maps has this address: Cilium was told not to answer there, or its device is not one of those it watches',
    }))
}

/** Host ports of the loopback address, and health checks at the addresses of load balancers. */
function isCiliumsOwn(master: Entry, checks: ReadonlySet<string>): boolean {
  const loopback = FLAG.hostPort | FLAG.loopback
  if ((master.value('flags') & loopback) === loopback) return true
  return checks.has(formatEndpoint(master.keyAddress('address'), master.key('port')))
}

function notReadable(master: Entry): string | undefined {
  const flags = master.value('flags')
  if ((flags & FLAG.l7) !== 0) return "an L7 proxy chooses its backends, from the configuration of Cilium's Envoy"
  if ((flags & FLAG.localRedirect) !== 0) return 'a local redirect policy has it end at pods of the node'
  return (flags & FLAG.nat46x64) !== 0 ? 'its backends are of the other address family (NAT46/64)' : undefined
}

function missing(frontend: ExpectedFrontend): DriftFinding {
  const name = frontendName(frontend)
  const map = servicesMap(frontend.address.family)
  return {
    kind: 'frontend-missing',
    severity: 'error',
    subject: frontend.subject,
    text: `${name} is not in ${map}: the node does not balance connections to it`,
    expected: `${name} with ${frontend.backends.length} backends`,
    programmed: null,
    evidence: [frontend.evidence, missingEntry(map, frontend)],
  }
}

/** Entries that nothing asks for. */
function compareUnasked(masters: readonly Entry[], wanted: readonly ExpectedFrontend[], family: Family) {
  const [findings, notCompared]: [DriftFinding[], NotCompared[]] = [[], []]
  const withoutProtocol = new Set(wanted.map((frontend) => keyOfFrontend(frontend, true)))
  for (const master of masters) {
    const name = nameOfMaster(master)
    const other = notReadable(master)
    if (other !== undefined) notCompared.push({ what: name, reason: other })
    else if (!withoutProtocol.has(keyOfMaster(master))) findings.push(unasked(master, name, family))
  }
  return { findings, notCompared }
}

function unasked(master: Entry, name: string, family: Family): DriftFinding {
  return {
    kind: 'frontend-extra',
    severity: 'warning',
    subject: name,
    text: `${name} is in ${servicesMap(family)}, and no Service or host port asks for it: the node balances connections to it`,
    expected: null,
    programmed: `${name} with ${master.value('count')} backends`,
    evidence: [master.evidence],
  }
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 0: 'ANY', 6: 'TCP', 17: 'UDP', 132: 'SCTP' }

function nameOfMaster(master: Entry): string {
  const protocol = PROTOCOL_NAMES[master.key('protocol')] ?? String(master.key('protocol'))
  const scope = master.key('scope') === 1 ? 'internal' : 'external'
  return frontendName({ address: master.keyAddress('address'), port: master.key('port'), protocol, scope })
}
