// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FilterError } from '../../text/filterError.ts'
import { complete } from './completion.ts'
import { KEY_NAMES, parseFilterBox } from './filterBox.ts'
import { filterJson } from './filterJson.ts'
import type { Flow } from '../flow.ts'
import { hubbleCommand } from './hubbleCommand.ts'
import { parseHubbleFlags } from './hubbleFlags.ts'
import { readHubbleLine } from '../hubble/hubbleJson.ts'
import { MatchIndex } from './matchIndex.ts'
import { FlowStore } from '../store/store.ts'

const NOW = { seconds: 1_700_000_000, nanos: 0 }
const STORE = new FlowStore()
for (const file of globSync('test/fixtures/raw/*/hubble/*.jsonl'))
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) STORE.append(readHubbleLine(line))
const FLOWS = STORE.events(0, STORE.kept).map(({ flow }) => flow)

function matching(text: string): readonly Flow[] {
  const index = new MatchIndex(STORE, parseFilterBox(text, NOW))
  index.update()
  return [...index.view()].map((row) => STORE.event(row).flow)
}

function failure(text: string): { readonly at: number; readonly message: string } {
  try {
    parseFilterBox(text, NOW)
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error))
    return error
  }
  return assert.fail(`\`${text}\` was understood`)
}

const either = (test: (end: 'source' | 'destination') => boolean) => test('source') || test('destination')
const podOf = (flow: Flow, end: 'source' | 'destination') => `${flow[end]?.namespace ?? ''}/${flow[end]?.podName ?? ''}`
const portsOf = ({ l4 }: Flow) => l4?.tcp ?? l4?.udp ?? l4?.sctp ?? { sourcePort: -1, destinationPort: -1 }
const isWeb = (flow: Flow) => either((end) => podOf(flow, end).startsWith('shop/web'))
const has8080 = (flow: Flow) => either((end) => portsOf(flow)[`${end}Port`] === 8080)

describe('the filter box', () => {
  for (const [text, wanted] of [
    ['pod:shop/web', isWeb],
    ['pod:web', (flow) => either((end) => flow[end]?.podName.startsWith('web') ?? false)],
    ['pod:shop/web port:8080', (flow) => isWeb(flow) && has8080(flow)],
    ['pod:shop/web -port:8080', (flow) => isWeb(flow) && !has8080(flow)],
    ['-pod:shop/web -port:8080', (flow) => !isWeb(flow) && !has8080(flow)],
    ['verdict:dropped,traced', (flow) => flow.verdict === 'DROPPED' || flow.verdict === 'TRACED'],
    ['verdict:dropped verdict:traced', (flow) => flow.verdict === 'DROPPED' || flow.verdict === 'TRACED'],
    [
      'from-pod:shop/stranger to-port:8080',
      (flow) => podOf(flow, 'source') === 'shop/stranger' && portsOf(flow).destinationPort === 8080,
    ],
    ['ns:shop pod:stranger', (flow) => either((end) => podOf(flow, end).startsWith('shop/stranger'))],
    ['to:world', (flow) => flow.destination?.labels.includes('reserved:world-ipv4') ?? false],
    ['from:10.244.0.0/16', (flow) => flow.ip?.source.startsWith('10.244.') ?? false],
    ['label:app=web', (flow) => either((end) => flow[end]?.labels.includes('k8s:app=web') ?? false)],
    [
      'label:"k8s:app in (web, db)" reply:false',
      (flow) =>
        either((end) => flow[end]?.labels.some((label) => /^k8s:app=(web|db)$/.test(label)) ?? false) &&
        (flow.isReply === false || (flow.isReply === null && flow.verdict === 'DROPPED')),
    ],
    ['type:trace:to-network', (flow) => flow.eventType?.type === 4 && flow.eventType.subType === 11],
    ['flags:syn,ack', (flow) => (flow.l4?.tcp?.flags?.syn && flow.l4.tcp.flags.ack) ?? false],
    [
      'reason:policy_deny node:n1',
      (flow) => flow.verdict === 'DROPPED' && flow.dropReasonDesc === 'POLICY_DENY' && flow.nodeName === 'n1',
    ],
    [
      'direction:ingress proto:TCP ipv:4',
      (flow) => flow.trafficDirection === 'INGRESS' && flow.l4?.tcp != null && flow.ip?.ipVersion === 'IPv4',
    ],
  ] as const satisfies readonly (readonly [string, (flow: Flow) => boolean])[])
    test(text, () => {
      const found = matching(text)
      assert.deepEqual(found, FLOWS.filter(wanted))
      assert.ok(found.length > 0 && found.length < FLOWS.length, `${found.length} of ${FLOWS.length}`)
    })

  test('nothing asks for everything', () => assert.equal(matching(' ').length, FLOWS.length))

  test('an address of IPv6 is a word, not a key', () => {
    assert.deepEqual(parseFilterBox('fd00::1', NOW).words, [{ kind: 'anywhere', text: 'fd00::1', not: false }])
  })

  for (const [text, at, message] of [
    ['pod:', 4, /`pod:` has no value/],
    ['verdict:drped', 8, /did you mean `DROPPED`/],
    ['port:80 prt:5', 8, /`prt` is no key of a filter; did you mean `port`/],
    ['a "bc', 2, /not closed/],
    ['port:80x', 5, /no port/],
    ['-', 1, /stands alone/],
    ['ip:10.0.0', 3, /neither an address nor a network/],
    ['label:"a in"', 6, /is missing/],
    ['path:(?=x)', 5, /looking around/],
    ['from-port:80 from-ns:a from-pod:b/c', 23, /nothing could match/],
    ['status:200 type:drop', 0, /HTTP/],
    ['since:yesterday', 6, /is no time/],
    ['--verdict DROPED', 10, /did you mean `DROPPED`/],
    ['hubble observe --pood x', 15, /did you mean `pod`/],
    ['--port', 0, /a value is missing/],
    ['--not --not --port 1', 6, /stands twice/],
    ["--pod 'a", 6, /not closed/],
  ] as const)
    test(`what is wrong in \`${text}\`, and where`, () => {
      const error = failure(text)
      assert.match(error.message, message)
      assert.equal(error.at, at)
    })

  test('flags are taken as they were typed into a shell', () => {
    const text = `hubble observe -f --last 5 --since 5m -n shop --to-label 'app in (web,db)' --not --port=53 -o jsonpb --server "a b"`
    const query = parseFilterBox(text, NOW)
    const words = [
      '-f',
      '--last',
      '5',
      '--since',
      '5m',
      '-n',
      'shop',
      '--to-label',
      'app in (web,db)',
      '--not',
      '--port=53',
      '-o',
      'jsonpb',
      '--server',
      'a b',
    ]
    assert.deepEqual(query, parseHubbleFlags(words, NOW))
    assert.deepEqual(query.since, { seconds: NOW.seconds - 300, nanos: 0 })
    assert.deepEqual(query.ignored, ['output', 'server'])
    assert.deepEqual([query.last, query.follow], [5, true])
  })

  test('every key is explained to users', () => {
    const page = readFileSync('docs/flows.md', 'utf8')
    const ends = /^(?:from|to)-/
    for (const key of KEY_NAMES.filter((name) => !ends.test(name))) assert.ok(page.includes(`\`${key}\``), key)
  })

  test('any text is a query or a FilterError', () => {
    const pieces = fc.constantFrom(
      ...KEY_NAMES.map((key) => `${key}:`),
      '-',
      '"',
      ' ',
      '--pod',
      '--not',
      'shop/web',
      '80',
      ',',
      "'",
      '\\',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 8 }).map((list) => list.join('')),
        ),
        (text) => {
          try {
            parseFilterBox(text, NOW)
          } catch (error) {
            assert.ok(error instanceof FilterError, String(error))
            assert.ok(error.at >= 0 && error.at <= text.length, `${text}: ${error.at}`)
          }
        },
      ),
    )
  })
})

describe('the hubble command', () => {
  for (const [text, command] of [
    ['pod:shop/web', 'hubble observe --pod shop/web'],
    ['from-pod:shop/web verdict:dropped -port:53', 'hubble observe --from-pod shop/web --verdict DROPPED --not --port 53'],
    ['label:"app in (web, db)"', "hubble observe --label 'app in (web, db)'"],
    ['reply:true', `hubble observe --allowlist '{"reply":[true]}'`],
    ['encrypted:true ipv:6', 'hubble observe --encrypted --ip-version IPv6'],
    ['from-pod:a from-dns:b.c', `hubble observe --allowlist '{"source_pod":["/a"],"source_fqdn":["b.c"]}'`],
    ['--follow --all --pod x', 'hubble observe --all --follow --pod x'],
    ['since:2026-01-02', 'hubble observe --since 2026-01-02T00:00:00Z'],
    ['word', 'hubble observe'],
  ] as const)
    test(text, () => {
      const query = parseFilterBox(text, NOW)
      assert.equal(hubbleCommand(query), command)
      const again = parseFilterBox(command, NOW)
      assert.deepEqual(
        [again.allow, again.deny].map((list) => list.map(filterJson)),
        [query.allow, query.deny].map((list) => list.map(filterJson)),
      )
    })
})

describe('completion', () => {
  const choices = (text: string, at = text.length) => complete(STORE, text, at)

  test('keys first, then values that most flows have', () => {
    assert.deepEqual(
      choices('por').choices.map(({ text }) => text),
      ['port:'],
    )
    const pods = choices('verdict:dropped -pod:shop/')
    assert.deepEqual([pods.from, pods.to], [17, 26])
    const counts = pods.choices.map(({ note }) => Number.parseInt(note, 10))
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => b - a),
    )
    assert.ok(pods.choices.length > 2)
  })

  test('a count is what the choice finds', () => {
    for (const key of ['from-pod', 'to-ns', 'to-port', 'reason', 'node', 'proto', 'policy', 'from-label', 'direction'])
      for (const { text, note } of choices(`${key}:`)
        .choices.filter(({ note }) => note !== '')
        .slice(0, 5)) {
        const prefix = /^(?:from|to)-pod:/.test(text)
        const found = matching(text).length
        if (prefix) assert.ok(found >= Number.parseInt(note, 10))
        else assert.equal(`${found} flow${found === 1 ? '' : 's'}`, note, text)
      }
  })

  test('what is offered is understood', () => {
    for (const key of KEY_NAMES)
      for (const { text } of choices(`${key}:`).choices) assert.doesNotThrow(() => parseFilterBox(text, NOW), text)
  })

  test('the whole word is replaced, from where the cursor stands in it', () => {
    const { from, to } = choices('a pod:sho/x b', 9)
    assert.deepEqual([from, to], [2, 11])
  })
})
