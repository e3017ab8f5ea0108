// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlaceError } from '../../core/path/place.ts'
import { commandLine, parseTrace, reversed } from './question.ts'

test('a question needs a sender, and a port where the protocol has ports', () => {
  assert.equal(parseTrace({ from: 'pod:a/b', to: 'svc:a/c:80/TCP' }).protocol, 6)
  assert.equal(parseTrace({ from: 'host:n1', to: '10.0.0.1/ICMP' }).protocol, 1)
  for (const asked of [
    { from: 'svc:a/b', to: '10.0.0.1:80/TCP' },
    { from: 'pod:a/b', to: '10.0.0.1' },
    { from: 'nonsense', to: '10.0.0.1:80/TCP' },
  ]) {
    assert.throws(() => parseTrace(asked), PlaceError)
  }
})

test('the other way round is a question, too', () => {
  const cases = [
    [
      { from: 'pod:a/b', to: 'svc:a/c:80/TCP' },
      { from: '10.96.0.1', to: 'pod:a/b:40000/TCP' },
    ],
    [
      { from: 'pod:a/b', to: 'pod:a/c:80/UDP' },
      { from: 'pod:a/c', to: 'pod:a/b:40000/UDP' },
    ],
    [
      { from: '10.1.2.3', to: 'host:n1:22/TCP' },
      { from: 'host:n1', to: '10.1.2.3:40000/TCP' },
    ],
    [
      { from: 'fd00::1', to: 'pod:a/c:80/TCP' },
      { from: 'pod:a/c', to: '[fd00::1]:40000/TCP' },
    ],
    [
      { from: '[fd00::1]:5/TCP', to: 'pod:a/c:80/TCP' },
      { from: 'pod:a/c', to: '[fd00::1]:40000/TCP' },
    ],
    [
      { from: 'pod:a/b', to: '10.0.0.9/ICMP' },
      { from: '10.96.0.1', to: 'pod:a/b/ICMP' },
    ],
  ] as const
  for (const [asked, expected] of cases) {
    const turned = reversed(asked, { ip: '10.96.0.1' }, null)
    assert.deepEqual(turned, expected)
    assert.doesNotThrow(() => parseTrace(turned), JSON.stringify(turned))
  }
})

test('the command line is quoted for a shell', () => {
  const asked = { from: 'pod:a/b', to: '[fd00::1]:80/TCP' }
  assert.equal(
    commandLine(asked, { kind: 'context', place: "it's mine", kubeconfig: '/k' }),
    "plumbline trace --from pod:a/b --to '[fd00::1]:80/TCP' --context 'it'\\''s mine' --kubeconfig /k",
  )
  assert.equal(
    commandLine(asked, { kind: 'bundle', place: '/x.zip' }),
    "plumbline trace --from pod:a/b --to '[fd00::1]:80/TCP' --bundle /x.zip",
  )
})
