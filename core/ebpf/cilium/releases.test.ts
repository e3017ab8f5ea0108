// SPDX-License-Identifier: Apache-2.0

/** The recorded cluster of Cilium 1.19, with its policies as other releases write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawFiles } from '../../../test/support/rawFixtures.ts'
import { type ClusterFacts, loadCluster } from '../../facts/cluster.ts'
import { memoryFiles } from '../../facts/memory.ts'
import { parsePlace } from '../../path/place.ts'
import { trace } from '../../path/trace.ts'

const RECORDED = 'cilium_policy_v2_'
const [KEY_SIZE, VALUE_SIZE] = [12, 12]

interface Dump {
  readonly name: string
  readonly valueSize: number
  readonly file: string
}

/** A policy map of another release, made of one of 1.19. */
interface Rewritten {
  readonly prefix: string
  readonly valueSize: number
  readonly value: (recorded: Uint8Array) => Uint8Array
}

/** Without precedence: whose redirect is to the proxy, goes before others. */
function prioritised(size: number): Rewritten['value'] {
  return (recorded) => {
    const value = new Uint8Array(size)
    value.set(recorded.subarray(0, 4))
    value[4] = recorded[0] === 0 && recorded[1] === 0 ? 0 : 1
    return value
  }
}

/** Flags for the length: bits 1 and 2 of the third byte. */
function flagged(recorded: Uint8Array): Uint8Array {
  const value = new Uint8Array(24)
  const [high = 0, low = 0, flags = 0, authentication = 0] = recorded
  const bits = flags >>> 3
  value.set([high, low, (flags & 1) | (bits < 8 ? 2 : 0) | (bits <= 8 ? 4 : 0), authentication & 0x7f])
  return value
}

const RELEASES: Readonly<Record<string, Rewritten>> = {
  '1.16': { prefix: 'cilium_policy_', valueSize: 24, value: flagged },
  '1.17': { prefix: RECORDED, valueSize: 24, value: prioritised(24) },
  '1.18': { prefix: RECORDED, valueSize: 8, value: prioritised(8) },
  '1.20': { prefix: 'cilium_policy_v3_', valueSize: VALUE_SIZE, value: (recorded) => recorded },
}

function rewriteEntries(bytes: Uint8Array, value: Rewritten['value']): Uint8Array {
  const size = KEY_SIZE + VALUE_SIZE
  const parts = Array.from({ length: bytes.length / size }, (_, row) => {
    const entry = bytes.subarray(row * size, (row + 1) * size)
    return [entry.subarray(0, KEY_SIZE), value(entry.subarray(KEY_SIZE))]
  })
  return Buffer.concat(parts.flat())
}

/** @param beside true: the recorded maps stay where they are */
function cluster(release: Rewritten, beside = false): ClusterFacts {
  const files = new Map(rawFiles('cilium'))
  const renamed = (text: string) => text.replace(RECORDED, release.prefix)
  for (const [path, bytes] of rawFiles('cilium')) {
    if (path.includes(`/${RECORDED}`)) {
      if (!beside) files.delete(path)
      files.set(renamed(path), rewriteEntries(bytes, release.value))
    } else if (path.endsWith('bpf/maps/index.json')) {
      const index: readonly Dump[] = JSON.parse(Buffer.from(bytes).toString())
      const policies = index.filter(({ name }) => name.startsWith(RECORDED))
      const others = beside ? index : index.filter((dump) => !policies.includes(dump))
      const more = policies.map((dump) => {
        return { ...dump, name: renamed(dump.name), file: renamed(dump.file), valueSize: release.valueSize }
      })
      files.set(path, Buffer.from(JSON.stringify([...others, ...more])))
    }
  }
  return loadCluster(memoryFiles('rewritten', files))
}

/** Allowed, denied by a rule, allowed by nothing, and to the proxy. */
const QUESTIONS = [
  ['pod:shop/client-n1', '10.96.0.20:80/TCP'],
  ['pod:shop/client-n1', '10.96.0.30:80/TCP'],
  ['pod:shop/stranger', '10.96.0.30:80/TCP'],
  ['pod:shop/stranger', '10.96.0.20:80/TCP'],
  ['pod:shop/locked', '10.96.0.20:80/TCP'],
  ['pod:shop/locked', '10.200.0.100:8080/TCP'],
  ['10.200.0.100', '10.200.0.11:30080/TCP'],
] as const

function answers(facts: ClusterFacts, withActor = true) {
  return QUESTIONS.map(([from, to]) => {
    const [lane] = trace(facts, { from: parsePlace(from), to: parsePlace(to) }, { lanes: 'ebpf' }).lanes
    return lane?.outcomes.map(({ verdict, steps }) => (withActor ? `${verdict} ${steps.at(-1)?.actor.ref}` : verdict))
  })
}

const recorded = () => loadCluster(memoryFiles('recorded', rawFiles('cilium')))

test('the questions have answers of more than one kind', () => {
  const kinds = new Set(answers(recorded(), false).flat())
  assert.ok(kinds.has('delivered') && kinds.has('dropped') && !kinds.has('unknown'), [...kinds].join())
})

for (const [release, rewritten] of Object.entries(RELEASES)) {
  test(`policies as ${release} writes them are answered as those of 1.19 are`, () => {
    assert.deepEqual(answers(cluster(rewritten)), answers(recorded()))
  })
}

test('maps of two releases that agree leave nothing in doubt', () => {
  const { '1.20': newest } = RELEASES
  assert.ok(newest)
  assert.deepEqual(answers(cluster(newest, true)), answers(recorded()))
})

test('where maps of two releases disagree, the answer is unknown and says why', () => {
  const denying: Rewritten = {
    prefix: 'cilium_policy_v3_',
    valueSize: VALUE_SIZE,
    value: (value) => value.map((byte, at) => (at === 2 ? byte | 1 : byte)),
  }
  const facts = cluster(denying, true)
  const [from, to] = QUESTIONS[0]
  const [lane] = trace(facts, { from: parsePlace(from), to: parsePlace(to) }, { lanes: 'ebpf' }).lanes
  assert.deepEqual([...new Set(lane?.outcomes.map(({ verdict }) => verdict))], ['unknown'])
  const missing = lane?.unknowns.map((each) => each.missing).join('\n') ?? ''
  assert.match(missing, /which of cilium_policy_v3_\d+ and cilium_policy_v2_\d+ the programs of shop\/\S+ read/)
})

test('a policy map that cannot be read may be the one that counts', () => {
  const torn: Rewritten = { prefix: 'cilium_policy_v3_', valueSize: VALUE_SIZE, value: (value) => value.subarray(1) }
  assert.deepEqual([...new Set(answers(cluster(torn, true), false)[0])], ['unknown'])
})
