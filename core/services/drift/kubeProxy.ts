// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import { type NodeObject, objectKey } from '../../facts/objects.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { formatAddress, formatEndpoint } from '../../net/address.ts'
import type { Evidence, Lane, Outcome } from '../../path/answer.ts'
import { parsePlace } from '../../path/place.ts'
import { trace } from '../../path/trace.ts'
import { type Backend, chooseBackends } from '../backends.ts'
import { type ServiceFrontend, ServiceFrontends } from '../frontend.ts'
import { objectEvidence } from './expected.ts'
import { backendName, frontendName } from './phrases.ts'
import type { DriftFinding, NotCompared } from './report.ts'
import type { ServiceDrift } from './services.ts'

const RULES = ['iptables-legacy-save.4.txt', 'iptables-nft-save.4.txt', 'iptables-legacy-save.6.txt', 'iptables-nft-save.6.txt']

/** What a kube-proxy keeps on the node. The tables of IPVS are in no snapshot, although it has chains as well. */
export function kubeProxyOn({ host }: NodeSnapshot): 'rules' | 'ipvs' | undefined {
  if (host === undefined) return undefined
  const texts = RULES.map((file) => host.text(file) ?? '')
  if (texts.some((text) => text.includes('--match-set KUBE-CLUSTER-IP '))) return 'ipvs'
  const hasRules =
    texts.some((text) => text.includes(':KUBE-SERVICES ')) || (host.text('nft.txt') ?? '').includes('table ip kube-proxy')
  return hasRules ? 'rules' : undefined
}

/**
 * The services of a node with kube-proxy: the node itself asks for every frontend, its rules are followed, and where they lead must
 * be the backends that the objects give.
 */
export function kubeProxyDrift(facts: ClusterFacts, node: NodeObject): ServiceDrift {
  const all = new ServiceFrontends(facts.objects)
  const own = [...facts.objects.services.values()]
    .flatMap((service) => all.of(service))
    .filter((frontend) => isAsked(frontend, node))
  const notCompared: NotCompared[] = []
  const findings: DriftFinding[] = []
  let backends = 0
  for (const frontend of own) {
    const name = frontendName({ ...frontend, scope: 'external' })
    if (frontend.kind === 'LoadBalancer' && frontend.service.loadBalancerSourceRanges.length > 0) {
      notCompared.push({ what: name, reason: 'its source ranges may leave out the node, which is who asks' })
      continue
    }
    const wanted = chooseBackends(facts.objects, frontend, { node, inCluster: true }).backends
    const lane = followed(facts, node, frontend)
    const found = lane === undefined ? [] : compare(frontend, name, wanted, lane)
    const open = found.length === 0 ? undefined : undecided(lane)
    if (open === undefined) {
      backends += wanted.length
      findings.push(...found)
    } else notCompared.push({ what: name, reason: open })
  }
  return { findings, frontends: own.length - notCompared.length, backends, notCompared }
}

/** What kept the rules from being followed to where they translate, if anything did; what happens behind that is of no matter here. */
function undecided(lane: Lane | undefined): string | undefined {
  const open = lane?.outcomes.find(
    (outcome) => outcome.unknowns.length > 0 && !outcome.steps.some(({ effect }) => effect === 'dnat'),
  )
  return open?.unknowns[0]?.what
}

/** Those that every sender on the node meets. Health checks are a socket of kube-proxy's own. */
function isAsked({ kind, node }: ServiceFrontend, asked: NodeObject): boolean {
  return kind !== 'HealthCheckNodePort' && (node === undefined || node === asked.meta.name)
}

function followed(facts: ClusterFacts, node: NodeObject, { address, port, protocol }: ServiceFrontend): Lane | undefined {
  const from = parsePlace(`host:${node.meta.name}`)
  const to = parsePlace(`${formatEndpoint(address, port)}/${protocol}`)
  return trace(facts, { from, to }, { lanes: 'netfilter' }).lanes[0]
}

function compare(frontend: ServiceFrontend, name: string, wanted: readonly Backend[], lane: Lane): readonly DriftFinding[] {
  const reached = new Map(lane.outcomes.flatMap((outcome) => translatedTo(frontend, outcome)))
  const asked = new Map(wanted.map((backend) => [formatEndpoint(backend.address, backend.port), backend]))
  const lacking = [...asked].filter(([endpoint]) => !reached.has(endpoint)).map(([, backend]) => backend)
  const extra = [...reached.keys()].filter((endpoint) => !asked.has(endpoint))
  if (lacking.length === 0 && extra.length === 0) return []
  const untouched = reached.size === 0
  const parts = [
    ...(lacking.length === 0 ? [] : [`do not lead to ${lacking.map(backendName).join(', ')}`]),
    ...(extra.length === 0 ? [] : [`lead to ${extra.join(', ')}, which no usable endpoint is`]),
  ]
  return [
    {
      kind: untouched ? 'frontend-missing' : 'backends-different',
      severity: untouched || extra.length > 0 ? 'error' : 'warning',
      subject: `Service ${objectKey(frontend.service.meta)}`,
      text: untouched ? `no rule of the node translates ${name}` : `the rules for ${name} ${parts.join(', and ')}`,
      expected: [...asked.keys()].join(', ') || 'no backends',
      programmed: [...reached.keys()].join(', ') || null,
      evidence: [objectEvidence(frontend.service, 'spec.ports'), ...rules(lane.outcomes, [...reached.values()])],
    },
  ]
}

/** Where it was sent to, if it was sent elsewhere at all. */
function translatedTo({ address, port }: ServiceFrontend, outcome: Outcome): readonly (readonly [string, Outcome])[] {
  const { ip, port: at } = outcome.destination
  if (ip === formatAddress(address) && at === port) return []
  return [[`${ip.includes(':') ? `[${ip}]` : ip}:${at ?? 0}`, outcome]]
}

/** The rules that translate, or else those that end the packet. */
function rules(all: readonly Outcome[], translated: readonly Outcome[]): readonly Evidence[] {
  const steps = (translated.length > 0 ? translated : all).flatMap((outcome) => outcome.steps)
  const deciding = steps
    .filter(({ effect }) => ['dnat', 'drop', 'reject'].includes(effect))
    .flatMap(({ evidence }) => evidence ?? [])
  return [...new Map(deciding.map((each) => [JSON.stringify(each), each])).values()].slice(0, 8)
}
