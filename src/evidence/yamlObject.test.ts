// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryFiles } from '../../core/facts/memory.ts'
import { findObject, lineOfField, objectText } from './yamlObject.ts'

const policies = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicyList',
  items: [
    {
      metadata: { name: 'deny', namespace: 'vault' },
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }, { ports: [{ port: 80 }] }] },
    },
    { metadata: { name: 'deny', namespace: 'shop' }, spec: {} },
  ],
}
const files = memoryFiles('test', new Map([['objects/networkpolicies.json', Buffer.from(JSON.stringify(policies))]]))

test('finds an object by kind or resource, in its namespace', () => {
  for (const kind of ['NetworkPolicy', 'networkpolicies']) {
    const found = findObject(files, { kind, namespace: 'shop', name: 'deny' })
    assert.deepEqual(found, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny', namespace: 'shop' },
      spec: {},
    })
  }
  assert.equal(findObject(files, { kind: 'NetworkPolicy', namespace: 'web', name: 'deny' }), undefined)
  assert.equal(findObject(files, { kind: 'Service', namespace: 'shop', name: 'deny' }), undefined)
})

test('finds the line of a field, or of its nearest parent', () => {
  const found = findObject(files, { kind: 'NetworkPolicy', namespace: 'vault', name: 'deny' })
  const text = objectText(found ?? {})
  const lineOf = (field: string) => text.split('\n')[lineOfField(text, field)]?.trim()
  assert.equal(lineOf('metadata.name'), 'name: deny')
  assert.equal(lineOf('spec.ingress'), 'ingress:')
  assert.equal(lineOf('spec.ingress[1].ports[0].port'), '- port: 80')
  assert.equal(lineOf('/spec/ingress/1/ports'), '- ports:')
  assert.equal(lineOf('spec.egress[4]'), 'spec:')
})
