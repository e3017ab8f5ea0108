// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TRACE_SCHEMA, type TraceAnswer } from '../../core/path/answer.ts'
import { redacted } from './redact.ts'

const answer: TraceAnswer = {
  schema: TRACE_SCHEMA,
  question: {
    from: 'pod:shop/web-7d9',
    to: 'svc:shop/web:80/TCP',
    source: { ip: '10.244.1.7', port: null },
    destination: { ip: 'fd00:10:96::20', port: 80 },
    protocol: 'TCP',
    ctState: 'new',
    mark: 0,
  },
  lanes: [
    {
      lane: 'netfilter',
      source: 'rules',
      unknowns: [],
      outcomes: [
        {
          probability: 1,
          verdict: 'delivered',
          source: { ip: '10.244.1.7', port: null },
          destination: { ip: '10.244.2.4', port: 8080 },
          masquerade: false,
          unknowns: [],
          steps: [
            {
              node: 'worker-3.corp.example',
              netns: 'pod:shop/web-7d9',
              hook: 'nat/PREROUTING',
              actor: { kind: 'rule', ref: 'KUBE-SEP-X' },
              effect: 'dnat',
              before: '10.244.1.7:40000 -> [fd00:10:96::20]:80',
              after: null,
              evidence: {
                kind: 'file',
                file: 'nodes/worker-3.corp.example/netns/host/nft.txt',
                line: 7,
                text: '-s 10.244.1.7/32 --comment "shop/web"',
              },
              text: 'web-7d9 asks web',
            },
          ],
        },
      ],
    },
  ],
  difference: null,
  proof: null,
}

test('no name and no address is left, and what was equal stays equal', () => {
  const text = JSON.stringify(redacted(answer))
  for (const secret of ['shop', 'web', 'worker-3', 'corp', '10.244.1.7', '10.244.2.4', 'fd00'])
    assert.ok(!text.includes(secret), `${secret} in ${text}`)
  const copy = redacted(answer)
  assert.equal(copy.question.source.ip, copy.lanes[0]?.outcomes[0]?.source.ip)
  assert.equal(copy.lanes[0]?.outcomes[0]?.steps[0]?.effect, 'dnat')
  assert.equal(copy.schema, TRACE_SCHEMA)
})
