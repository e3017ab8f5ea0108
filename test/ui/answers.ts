// SPDX-License-Identifier: Apache-2.0

/** Answers the panel must be able to draw, whatever the engine happens to say today: hostile, huge, open, empty. */

import type { BypassedRule, Effect, Evidence, Lane, Outcome, Proof, Step, TraceAnswer } from '../../core/path/answer.ts'
import type { TraceView } from '../../protocol/tracePanel.ts'

const RULES = 'nodes/node-a/netns/host/iptables-nft-save.4.txt'

export function view(answer: TraceAnswer, part: Partial<TraceView> = {}): TraceView {
  return {
    answer,
    facts: 'prod-eu (live)',
    capturedAt: '2026-04-12T03:12:05Z',
    canProve: { possible: true },
    canAsk: { possible: true },
    partial: [],
    ...part,
  }
}

export function rule(line: number, text: string): Evidence {
  return { kind: 'file', file: RULES, line, text }
}

export function step(hook: string, effect: Effect, text: string, part: Partial<Step> = {}): Step {
  return {
    node: 'node-a',
    netns: 'host',
    hook,
    actor: { kind: 'rule', ref: hook },
    effect,
    before: null,
    after: null,
    evidence: null,
    text,
    ...part,
  }
}

export function outcome(steps: readonly Step[], part: Partial<Outcome> = {}): Outcome {
  return {
    probability: 1,
    verdict: 'delivered',
    source: { ip: '10.244.1.23', port: 43512 },
    destination: { ip: '10.244.2.4', port: 5432 },
    masquerade: false,
    steps,
    unknowns: [],
    ...part,
  }
}

export function answer(lanes: readonly Lane[], part: Partial<TraceAnswer> = {}): TraceAnswer {
  return {
    schema: 'plumbline.trace/v1',
    question: {
      from: 'pod:shop/web-7d9f4',
      to: 'svc:shop/db:5432/TCP',
      source: { ip: '10.244.1.23', port: null },
      destination: { ip: '10.96.4.20', port: 5432 },
      protocol: 'TCP',
      ctState: 'new',
      mark: 0,
    },
    lanes,
    difference: null,
    proof: null,
    ...part,
  }
}

const POD = { netns: 'pod:shop/web-7d9f4' }
const BACKENDS = [
  { ip: '10.244.1.7', name: 'db-0', line: 412 },
  { ip: '10.244.2.4', name: 'db-1', line: 418 },
  { ip: '10.244.2.9', name: 'db-2', line: 424 },
]

function netfilterWay({ ip, name, line }: (typeof BACKENDS)[number]): Outcome {
  const before = '10.244.1.23:43512 -> 10.96.4.20:5432'
  const after = `10.244.1.23:43512 -> ${ip}:5432`
  const masqueraded = `10.0.0.11:43512 -> ${ip}:5432`
  const arrival = { node: 'node-b' }
  const end = { node: 'node-b', netns: `pod:shop/${name}` }
  return outcome(
    [
      step('socket', 'pass', 'connect() to 10.96.4.20:5432', POD),
      step('route', 'route', 'default via 10.244.1.1 dev eth0', { ...POD, actor: { kind: 'route', ref: 'main' } }),
      step('link', 'transmit', 'leaves eth0, enters veth2f1a on the node', POD),
      step('link', 'receive', 'enters cni0 from veth2f1a'),
      step('raw/PREROUTING', 'pass', '2 rules, none matches'),
      step('conntrack/PREROUTING', 'track', 'new connection'),
      step('mangle/PREROUTING', 'pass', 'no rule matches'),
      step('nat/PREROUTING', 'jump', 'jump to KUBE-SERVICES', { evidence: rule(391, '-A PREROUTING -j KUBE-SERVICES') }),
      step('nat/PREROUTING', 'jump', 'jump to KUBE-SVC-DB5432', {
        evidence: rule(399, '-A KUBE-SERVICES -d 10.96.4.20/32 -p tcp --dport 5432 -j KUBE-SVC-DB5432'),
      }),
      step('nat/PREROUTING', 'dnat', `KUBE-SEP-${name.toUpperCase()}: DNAT to ${ip}:5432`, {
        before,
        after,
        evidence: rule(line, `-A KUBE-SEP-${name.toUpperCase()} -p tcp -m tcp -j DNAT --to-destination ${ip}:5432`),
        actor: { kind: 'rule', ref: `KUBE-SEP-${name.toUpperCase()}` },
      }),
      step('route', 'route', '10.244.2.0/24 via 10.0.0.12 dev eth0', {
        actor: { kind: 'route', ref: 'main' },
        evidence: {
          kind: 'fact',
          file: 'nodes/node-a/netns/host/routes.json',
          pointer: '/14',
          text: '10.244.2.0/24 via 10.0.0.12 dev eth0 proto bird',
        },
      }),
      step('mangle/FORWARD', 'pass', 'no rule matches'),
      ...Array.from({ length: 9 }, (_, index) => step('filter/FORWARD', 'pass', `rule ${index + 1} does not match`)),
      step('filter/FORWARD', 'accept', 'KUBE-FORWARD accepts', {
        evidence: rule(88, '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'),
      }),
      step('mangle/POSTROUTING', 'pass', 'no rule matches'),
      step('nat/POSTROUTING', 'masquerade', 'CORP-EGRESS: MASQUERADE to 10.0.0.11', {
        before: after,
        after: masqueraded,
        evidence: rule(431, '-A CORP-EGRESS ! -o cni0 -j MASQUERADE'),
      }),
      step('neighbour', 'transmit', 'next hop 10.0.0.12 is 52:54:00:12:34:56 on eth0'),
      step('link', 'receive', 'enters eth0', arrival),
      step('raw/PREROUTING', 'pass', 'no rule matches', arrival),
      step('nat/PREROUTING', 'pass', 'no rule matches', arrival),
      step('route', 'route', `${ip} dev veth91bc`, arrival),
      step('filter/FORWARD', 'accept', 'KUBE-FORWARD accepts', arrival),
      step('socket', 'deliver', `delivered to the socket of pod shop/${name}`, end),
    ],
    { probability: 1 / 3, destination: { ip, port: 5432 }, source: { ip: '10.0.0.11', port: 43512 }, masquerade: true },
  )
}

function ebpfWay({ ip, name }: (typeof BACKENDS)[number], index: number): Outcome {
  const before = '10.244.1.23:43512 -> 10.96.4.20:5432'
  const after = `10.244.1.23:43512 -> ${ip}:5432`
  return outcome(
    [
      step('socket', 'select-backend', `socket load balancer picks ${ip}:5432`, {
        ...POD,
        before,
        after,
        actor: { kind: 'map-entry', ref: 'cilium_lb4_backends_v3' },
        evidence: {
          kind: 'map',
          map: 'cilium_lb4_backends_v3',
          key: `backend_id ${index + 11}`,
          value: `${ip}:5432 state active`,
        },
      }),
      step('route', 'route', 'default via 10.244.1.1 dev eth0', POD),
      step('link', 'transmit', 'leaves eth0, enters lxc8a1f on the node', POD),
      step('tc', 'pass', 'cil_from_container (tcx)', { actor: { kind: 'program', ref: 'cil_from_container' } }),
      step('policy-egress', 'allow', 'allowed by CiliumNetworkPolicy shop/web-egress, rule 2', {
        actor: { kind: 'policy', ref: 'shop/web-egress' },
        evidence: {
          kind: 'object',
          apiVersion: 'cilium.io/v2',
          object: 'CiliumNetworkPolicy',
          namespace: 'shop',
          name: 'web-egress',
          field: 'spec.egress[2]',
        },
      }),
      step('route', 'route', '10.244.2.0/24 via 10.0.0.12 dev eth0'),
      step('link', 'receive', 'enters eth0', { node: 'node-b' }),
      step('policy-ingress', 'allow', 'no policy isolates the pod', { node: 'node-b' }),
      step('tc', 'transmit', 'redirected to the pod’s interface, past the host’s stack', { node: 'node-b' }),
      step('socket', 'deliver', `delivered to the socket of pod shop/${name}`, { node: 'node-b', netns: `pod:shop/${name}` }),
    ],
    { probability: 1 / 3, destination: { ip, port: 5432 } },
  )
}

const BYPASSED: readonly BypassedRule[] = [
  bypassed('nat/POSTROUTING', 'unknown', 431, '-A CORP-EGRESS ! -o cni0 -j MASQUERADE'),
  bypassed('filter/FORWARD', 'unknown', 77, '-A FORWARD -s 10.244.0.0/16 -d 10.9.0.0/16 -j CORP-AUDIT'),
  bypassed(
    'nat/PREROUTING',
    'kube-proxy',
    391,
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  ),
  bypassed(
    'nat/PREROUTING',
    'kube-proxy',
    399,
    '-A KUBE-SERVICES -d 10.96.4.20/32 -p tcp -m tcp --dport 5432 -j KUBE-SVC-DB5432',
  ),
  bypassed(
    'nat/PREROUTING',
    'kube-proxy',
    412,
    '-A KUBE-SVC-DB5432 -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-DB0',
  ),
  bypassed('filter/FORWARD', 'kube-proxy', 88, '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'),
  bypassed('nat/POSTROUTING', 'kubelet', 440, '-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000'),
]

function bypassed(hook: string, owner: string, line: number, text: string): BypassedRule {
  return { node: 'node-a', hook, text, owner, evidence: rule(line, text) }
}

/** A service with three backends, both lanes, with a difference. */
export function serviceAnswer(): TraceAnswer {
  return answer(
    [
      { lane: 'netfilter', source: 'rules', outcomes: BACKENDS.map(netfilterWay), unknowns: [] },
      { lane: 'ebpf', source: 'cilium', outcomes: BACKENDS.map(ebpfWay), unknowns: [] },
    ],
    {
      difference: {
        kind: 'source',
        at: { node: 'node-a', hook: 'nat/POSTROUTING' },
        text: 'The backend sees the node’s address 10.0.0.11 in netfilter, the pod’s 10.244.1.23 in eBPF. eBPF would bypass 7 rules the packet meets, 2 of them of unknown owner.',
        bypassedRules: BYPASSED,
      },
    },
  )
}

export function confirmedProof(): Proof {
  return {
    at: '2026-04-12T03:12:11Z',
    result: 'confirmed',
    text: '9 of 9 connections went as predicted, through every step that could be seen.',
    attempts: [0, 1, 2, 2, 0, 1, 1, 0, 2].map((index, time) => ({
      result: 'connected',
      detail: '',
      destination: { ip: BACKENDS[index]?.ip ?? '', port: 5432 },
      source: { ip: '10.0.0.11', port: 43000 + time },
      milliseconds: 0.6 + time / 10,
      outcome: index,
    })),
  }
}

export function contradictedProof(): Proof {
  const confirmed = confirmedProof()
  return {
    ...confirmed,
    result: 'contradicted',
    text: '1 of 10 connections was answered by an address no outcome predicts.',
    attempts: [
      ...confirmed.attempts,
      {
        result: 'connected',
        detail: 'conntrack says 10.244.9.9',
        destination: { ip: '10.244.9.9', port: 5432 },
        source: { ip: '10.0.0.11', port: 43999 },
        milliseconds: 14.2,
        outcome: null,
      },
    ],
  }
}

/** eBPF drops what netfilter delivers. */
export function droppedAnswer(): TraceAnswer {
  const [backend] = BACKENDS
  if (backend === undefined) throw new Error('no backend')
  const way = ebpfWay(backend, 0)
  const drop = step('policy-ingress', 'deny', 'no ingress rule of NetworkPolicy shop/db-only-api selects shop/web', {
    node: 'node-b',
    actor: { kind: 'policy', ref: 'shop/db-only-api' },
    evidence: {
      kind: 'object',
      apiVersion: 'networking.k8s.io/v1',
      object: 'NetworkPolicy',
      namespace: 'shop',
      name: 'db-only-api',
      field: 'spec.ingress[0].from',
    },
  })
  return answer(
    [
      { lane: 'netfilter', source: 'rules', outcomes: BACKENDS.map(netfilterWay), unknowns: [] },
      {
        lane: 'ebpf',
        source: 'planned',
        outcomes: [
          {
            ...way,
            probability: 1,
            verdict: 'dropped',
            steps: [...way.steps.slice(0, 7), drop],
            remedy: 'an ingress rule for pods with app=web in namespace shop, port 5432/TCP',
          },
        ],
        unknowns: [],
      },
    ],
    {
      difference: {
        kind: 'verdict',
        at: { node: 'node-b', hook: 'policy-ingress' },
        text: 'Netfilter has no rules for NetworkPolicy shop/db-only-api: nothing enforces it on node-b today.',
        bypassedRules: BYPASSED.slice(2),
      },
    },
  )
}

/** One lane from loose files, with an undecided match: two ways, neither with a probability. */
export function undecidedAnswer(): TraceAnswer {
  const evidence = rule(31, '-A INPUT -m bpf --object-pinned /sys/fs/bpf/guard -j DROP')
  const unknown = {
    what: 'match `bpf` in filter/INPUT',
    missing: 'The program pinned at /sys/fs/bpf/guard; collect bpf/programs.json.',
    evidence,
  }
  const before = [
    step('conntrack/PREROUTING', 'track', 'new connection'),
    step('filter/INPUT', 'unknown', 'match `bpf` can’t be decided', { evidence }),
  ]
  return answer([
    {
      lane: 'netfilter',
      source: 'rules',
      unknowns: [unknown],
      outcomes: [
        outcome([...before, step('filter/INPUT', 'accept', 'policy ACCEPT')], {
          probability: null,
          verdict: 'accepted',
          unknowns: [unknown],
        }),
        outcome([...before, step('filter/INPUT', 'drop', 'dropped by rule 12', { evidence })], {
          probability: null,
          verdict: 'dropped',
          unknowns: [unknown],
          remedy: 'a program that returns 0 for this packet',
        }),
      ],
    },
  ])
}

export const HOSTILE = [
  '<img src=x onerror="document.title=\'owned\'">',
  '\u202Eevil\u2066\u0007\u001b[31mred',
  `${'a-very-long-name-'.repeat(40)}`,
  '"><script>document.title="owned"</script>',
  '{{constructor.constructor("return 1")()}}',
]

/** Names as an attacker with rights to create objects would choose them. */
export function hostileAnswer(): TraceAnswer {
  const steps = HOSTILE.map((text, index) =>
    step(`nat/${text}`, 'dnat', text, {
      node: text,
      netns: index % 2 === 0 ? `pod:${text}` : 'host',
      before: text,
      after: `${text}!`,
      actor: { kind: 'rule', ref: text },
      evidence: { kind: 'file', file: text, line: index, text },
    }),
  )
  const [first = ''] = HOSTILE
  const unknown = { what: first, missing: first, evidence: null }
  const ends = HOSTILE.map((text) =>
    outcome(steps, { probability: 1 / HOSTILE.length, destination: { ip: text, port: 1 }, reply: text, unknowns: [unknown] }),
  )
  const lost = outcome(steps, { verdict: 'dropped', remedy: first })
  const base = answer([
    { lane: 'netfilter', source: 'rules', outcomes: ends, unknowns: [unknown] },
    { lane: 'ebpf', source: 'cilium', outcomes: [lost], unknowns: [] },
  ])
  return {
    ...base,
    question: { ...base.question, from: `pod:${first}`, to: `svc:${HOSTILE[2]}` },
    difference: {
      kind: 'verdict',
      at: { node: first, hook: `nat/${first}` },
      text: first,
      bypassedRules: HOSTILE.map((text) => ({ node: text, hook: text, text, owner: text, evidence: rule(1, text) })),
    },
    proof: { ...contradictedProof(), text: first },
  }
}

/** As long as a way gets: two hundred steps a lane, over several nodes. */
export function longAnswer(): TraceAnswer {
  const hooks = [
    'link',
    'raw/PREROUTING',
    'conntrack/PREROUTING',
    'mangle/PREROUTING',
    'nat/PREROUTING',
    'route',
    'filter/FORWARD',
    'nat/POSTROUTING',
  ]
  const way = (lane: number) =>
    Array.from({ length: 200 }, (_, index) => {
      const hook = hooks[index % hooks.length] ?? 'link'
      const effect: Effect = index % 7 === lane ? 'mark' : 'pass'
      return step(hook, effect, `step ${index} of lane ${lane}`, {
        node: `node-${Math.floor(index / 40)}`,
        before: effect === 'mark' ? `mark ${index}` : null,
        after: effect === 'mark' ? `mark ${index + 1}` : null,
        evidence: rule(index + 1, `-A ${hook} -j MARK --set-mark ${index + 1}`),
      })
    })
  return answer([
    { lane: 'netfilter', source: 'rules', outcomes: [outcome(way(0))], unknowns: [] },
    { lane: 'ebpf', source: 'cilium', outcomes: [outcome(way(1))], unknowns: [] },
  ])
}
