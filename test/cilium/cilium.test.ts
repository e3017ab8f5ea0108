// SPDX-License-Identifier: Apache-2.0

/**
 * The eBPF lane read from Cilium's maps, against real connections and what Cilium's own Hubble saw of them: on a cluster with Cilium, and
 * on one that is half migrated.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { attributeDrop } from '../../core/flows/attribution/attribution.ts'
import type { Flow } from '../../core/flows/flow.ts'
import { flowPacket } from '../../core/flows/flowPacket.ts'
import { hubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { questionOfFlow } from '../../core/flows/question.ts'
import { IPPROTO } from '../../core/net/packet.ts'
import { formatAddress } from '../../core/net/address.ts'
import type { Lane, Outcome, TraceAnswer } from '../../core/path/answer.ts'
import { formatTrace } from '../../core/path/format.ts'
import { parsePlace } from '../../core/path/place.ts'
import { datapathsOf, trace } from '../../core/path/trace.ts'
import { whyNoLab } from '../cluster/lab.ts'
import { type LiveCluster, openLiveCluster } from '../cluster/liveCluster.ts'
import { ATTEMPTS, type Attempt, dial, diallerPath } from './dialler.ts'
import { type Observed, Observer } from './observer.ts'
import { addressOf, type Sender, senders, type Target, targetsOf } from './questions.ts'
import { truthOf } from './truth.ts'
import { contradictions, explains, hostAt, policiesNamed } from './verdicts.ts'

const SENDERS_AT_ONCE = 5

interface Question {
  readonly sender: Sender
  readonly target: Target
  readonly answer: TraceAnswer
}

interface Asked extends Question {
  readonly attempts: readonly Attempt[]
  /** While it was asked. */
  readonly observed: Observed
}

const PROXIES = process.env['PLUMBLINE_LAB_PROXY']?.split(',') ?? ['half', 'cilium']

for (const proxy of PROXIES) {
  describe(`predictions from Cilium's maps on a lab with --proxy=${proxy}`, { skip: whyNoLab() ?? false }, () => {
    let cluster: LiveCluster
    let facts: ClusterFacts
    let asked: readonly Asked[] = []

    before(async () => {
      cluster = await openLiveCluster(proxy)
      facts = await cluster.facts()
      const app = await diallerPath()
      const first = await askAll(questionsOf(facts, app), app)
      const open = first.filter((each) => isUnsettled(facts, each))
      const second = open.length === 0 ? [] : await askAll(open, app)
      asked = first.map((each) => second[open.indexOf(each)] ?? each)
    })

    after(() => cluster?.close())

    test('the lane is read from the maps, without being asked', () => {
      const { lanes } = trace(facts, { from: parsePlace('pod:shop/client-n1'), to: parsePlace('svc:shop/web:80/TCP') })
      assert.deepEqual(
        lanes.map(({ source }) => source),
        ['rules', 'cilium'],
      )
    })

    test('what pods, nodes and machines outside connect to ends as predicted', (t) => {
      const doubtful = asked.filter(({ answer }) => laneOf(answer).outcomes.some((outcome) => outcome.unknowns.length > 0))
      const wrong = asked.flatMap(({ answer, attempts }) => {
        const odd = attempts.find((attempt) => !laneOf(answer).outcomes.some((outcome) => explains(facts, outcome, attempt)))
        return odd === undefined ? [] : [`${JSON.stringify(odd)} was not predicted:\n${formatTrace(answer)}`]
      })
      t.diagnostic(`${asked.length} questions, ${wrong.length} wrong, ${doubtful.length} with something unknown`)
      for (const kind of ['pod:', 'host:', '10.200.0.100', '10.200.0.2'])
        t.diagnostic(`from ${kind} ${asked.filter(({ sender }) => sender.from.startsWith(kind)).length}`)
      assert.equal(wrong.length, 0, wrong.slice(0, 6).join('\n'))
      assert.ok(asked.length > 600, `${asked.length} questions`)
      assert.ok(doubtful.length < asked.length / 5, `${doubtful.length} of ${asked.length} answers are in doubt`)
    })

    test('Hubble saw the same verdicts, by the same policies', (t) => {
      let compared = 0
      let named = 0
      const wrong = asked.flatMap((each) =>
        each.attempts.flatMap((attempt) => {
          const flows = flowsOf(each, attempt)
          if (flows.length > 0) compared++
          named += flows.filter((flow) => policiesNamed(flow).length > 0).length
          const outcomes = laneOf(each.answer).outcomes.filter((outcome) => explains(facts, outcome, attempt))
          const odd = contradictions(outcomes, flows)
          return odd.length === 0 ? [] : [`Hubble: ${odd.join('; ')}, against:\n${formatTrace(each.answer)}`]
        }),
      )
      for (const { flows, lost } of observations(asked)) t.diagnostic(`${flows.length} flows, lost: ${lost.join(', ') || 'none'}`)
      t.diagnostic(
        `${compared} connections compared, ${named} verdicts with names of policies, ${wrong.length} otherwise than predicted`,
      )
      assert.equal(wrong.length, 0, wrong.slice(0, 6).join('\n'))
      assert.ok(compared > 800, `${compared} connections were seen by Hubble`)
      assert.ok(named > 200, `${named} verdicts name their policies`)
    })

    test('what was predicted to be dropped by a policy, Hubble saw dropped', (t) => {
      const dropped = asked.filter(({ answer }) => isDroppedByPolicy(answer))
      t.diagnostic(`${dropped.length} questions about connections that policies drop`)
      const unseen = dropped.flatMap((each) => each.attempts.filter((attempt) => !isSeenDropped(each, attempt)))
      assert.deepEqual(unseen, [])
      assert.ok(dropped.length > 100)
    })

    test('every backend of a frontend answers somebody, and nobody else does', () => {
      const seen = new Map<string, { readonly expected: Set<string>; readonly met: Set<string>; tries: number }>()
      for (const { target, answer, attempts } of asked) {
        const outcomes = laneOf(answer).outcomes.filter(
          ({ verdict, destination }) => verdict === 'delivered' && facts.objects.podAt(addressOf(destination.ip)) !== undefined,
        )
        if (outcomes.length !== laneOf(answer).outcomes.length || target.dialled.startsWith('icmp')) continue
        const hosts = outcomes.flatMap((outcome) => hostAt(facts, outcome) ?? []).sort()
        const key = `${target.to} ${hosts.join(' ')}`
        const entry = seen.get(key) ?? { expected: new Set(hosts), met: new Set<string>(), tries: 0 }
        seen.set(key, entry)
        for (const { answer: who } of attempts) if (who !== undefined) entry.met.add(who.host)
        entry.tries += attempts.length
      }
      // By chance, one of three backends is missed by so many with a probability below one in a million.
      const many = [...seen].filter(([, { tries, expected }]) => expected.size > 0 && tries >= 15 * expected.size)
      for (const [key, { expected, met }] of many) if (!key.startsWith('10.96.0.25')) assert.deepEqual(met, expected, key)
    })

    test('with session affinity a client keeps its backend', () => {
      const sticky = asked.filter(
        ({ target, sender }) => target.to.startsWith('10.96.0.25:') && sender.from !== 'pod:shop/client-n2',
      )
      for (const { attempts, sender } of sticky) {
        const hosts = new Set(attempts.flatMap(({ answer }) => answer?.host ?? []))
        assert.ok(hosts.size <= 1, `${sender.from} met ${[...hosts].join(', ')}`)
      }
      assert.ok(sticky.length > 4)
    })

    test('what is traced for a flow ends as the flow did', (t) => {
      const datapaths = datapathsOf(facts)
      const verdicts = new Map<string, readonly Outcome['verdict'][]>()
      const wrong = new Set<string>()
      for (const flow of observations(asked).flatMap(({ flows }) => flows)) {
        const question = isFinal(flow) ? questionOfFlow(facts.objects, flow) : undefined
        if (question === undefined) continue
        const { from, to, ctState } = question
        const key = `${from} to ${to}, ${ctState}`
        const places = { from: parsePlace(from), to: parsePlace(to), ctState }
        const ends =
          verdicts.get(key) ?? laneOf(trace(facts, places, { lanes: 'ebpf', datapaths })).outcomes.map(({ verdict }) => verdict)
        verdicts.set(key, ends)
        if (!ends.some((end) => (end === 'dropped') === (flow.verdict === 'DROPPED')))
          wrong.add(`${key}: ${flow.verdict}, not ${ends.join()}`)
      }
      t.diagnostic(`${verdicts.size} different questions of flows`)
      assert.deepEqual([...wrong], [])
      assert.ok(verdicts.size > 300)
    })

    test('every drop is attributed to the policies of the manifests, and to those that Hubble names', (t) => {
      const drops = observations(asked).flatMap(({ flows }) => flows.filter(({ verdict }) => verdict === 'DROPPED'))
      const reasons = new Map<string, number>()
      for (const flow of drops) {
        reasons.set(flow.dropReasonDesc, (reasons.get(flow.dropReasonDesc) ?? 0) + 1)
        // Pods look for routers from addresses of which nobody knows whose they are.
        if (flow.ip?.source.startsWith('fe80:')) continue
        const attribution = attributeDrop(facts, flow)
        assert.ok(attribution)
        const told = `${attribution.text}\n${hubbleLine({ kind: 'flow', flow, nodeName: flow.nodeName, time: flow.time })}`
        assert.deepEqual(attribution.unknowns, [], told)
        if (!flow.dropReasonDesc.startsWith('POLICY_')) continue
        const named = [...flow.egressDeniedBy, ...flow.ingressDeniedBy].map(({ name }) => name).sort()
        const ours = attribution.policies.map(({ name }) => name).sort()
        if (named.length > 0) assert.deepEqual(ours, named, told)
        assert.deepEqual(ours, truthOf(flow), told)
      }
      t.diagnostic(`${drops.length} drops: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')}`)
    })
  })
}

function laneOf({ lanes }: TraceAnswer): Lane {
  const [lane] = lanes
  assert.ok(lane)
  return lane
}

async function inParallel<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  const open = items.entries()
  const worker = async () => {
    for (const [index, item] of open) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}

function questionsOf(facts: ClusterFacts, app: string): readonly Question[] {
  const datapaths = datapathsOf(facts)
  return senders(facts, app).flatMap((sender) =>
    targetsOf(facts, sender).map((target) => {
      const question = { from: parsePlace(sender.from), to: parsePlace(target.to) }
      return { sender, target, answer: trace(facts, question, { lanes: 'ebpf', datapaths }) }
    }),
  )
}

/** Senders of a few at once, and of each all its targets. */
async function askAll(questions: readonly Question[], app: string): Promise<readonly Asked[]> {
  const observer = new Observer()
  const all = [...new Set(questions.map(({ sender }) => sender))]
  const met = await inParallel(all, SENDERS_AT_ONCE, async (sender) => {
    const targets = questions.filter((question) => question.sender === sender).map(({ target }) => target)
    return dial(sender, targets, app)
  })
  const observed = await observer.finish()
  return questions.map((question) => {
    const { sender, target } = question
    const attempts = (met[all.indexOf(sender)] ?? []).filter(({ remote }) => remote === target.dialled)
    assert.equal(attempts.length, ATTEMPTS, `${sender.from} to ${target.to}`)
    return { ...question, attempts, observed }
  })
}

/**
 * On a busy machine an answer may come too late, or Hubble may lose what it saw: both are asked again, in peace. What Hubble saw
 * dropped against the prediction is no accident.
 */
function isUnsettled(facts: ClusterFacts, each: Asked): boolean {
  return each.attempts.some((attempt) => {
    if (isDroppedByPolicy(each.answer)) return !isSeenDropped(each, attempt)
    const explained = laneOf(each.answer).outcomes.some((outcome) => explains(facts, outcome, attempt))
    return attempt.error === 'timeout' && !explained && !isSeenDropped(each, attempt)
  })
}

/** A packet whose source was translated on the way is dropped under another name. */
function isDroppedByPolicy(answer: TraceAnswer): boolean {
  return laneOf(answer).outcomes.every(
    ({ verdict, steps, masquerade }) => verdict === 'dropped' && !masquerade && steps.at(-1)?.hook.startsWith('policy-'),
  )
}

function isSeenDropped(each: Asked, attempt: Attempt): boolean {
  return flowsOf(each, attempt).some(({ verdict }) => verdict === 'DROPPED')
}

/** Drops, and arrivals at pods: from elsewhere a flow may go on and be dropped. */
function isFinal({ verdict, traceObservationPoint, destination }: Flow): boolean {
  return verdict === 'DROPPED' || (traceObservationPoint === 'TO_ENDPOINT' && destination?.podName !== '')
}

function observations(asked: readonly Asked[]): readonly Observed[] {
  return [...new Set(asked.map(({ observed }) => observed))]
}

/** Local ports are used again, so that whom a flow is for counts too. */
function flowsOf({ observed, sender, target, answer }: Asked, { port }: Attempt): readonly Flow[] {
  const [name = ''] = target.dialled.split('/')
  const echo = target.address.family === 4 ? IPPROTO.icmp : IPPROTO.icmpv6
  const protocol = name === 'tcp' ? IPPROTO.tcp : name === 'udp' ? IPPROTO.udp : echo
  const end = port ?? formatAddress(target.address)
  const flows = sender.addresses.flatMap((own) => observed.of(formatAddress(own), protocol, end))
  const ends = [answer.question.destination, ...laneOf(answer).outcomes.map(({ destination }) => destination)]
  return flows.filter((flow) => {
    const to = flowPacket(flow)
    return to !== undefined && ends.some(({ ip, port: at }) => ip === flow.ip?.destination && at === (to.destinationPort ?? null))
  })
}
