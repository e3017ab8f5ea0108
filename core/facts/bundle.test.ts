// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundleRoot, openBundle } from './bundle.ts'
import type { FactFiles } from './files.ts'
import { memoryFiles } from './memory.ts'

function files(contents: Readonly<Record<string, string>>): FactFiles {
  return memoryFiles('dump.zip', new Map(Object.entries(contents).map(([path, text]) => [path, new TextEncoder().encode(text)])))
}

const HEADER = '{"schema":"plumbline.bundle/v1","createdAt":"2026-01-02T03:04:05Z","source":"lab","extra":1}'

test('a bundle opens at its root, or in the one folder it was packed in', () => {
  const flat = openBundle(files({ 'bundle.json': HEADER, 'objects/pods.json': '{}' }))
  assert.deepEqual(flat.header, { schema: 'plumbline.bundle/v1', createdAt: '2026-01-02T03:04:05Z', source: 'lab', problems: [] })
  assert.deepEqual(flat.files.list(), ['bundle.json', 'objects/pods.json'])
  const nested = openBundle(files({ 'x/bundle.json': HEADER, 'x/objects/pods.json': '{}' }))
  assert.deepEqual(nested.files.list(), ['bundle.json', 'objects/pods.json'])
  assert.equal(new TextDecoder().decode(nested.files.read('objects/pods.json')), '{}')
  assert.equal(bundleRoot(files({ 'x/bundle.json': HEADER, 'y/z': '' })), undefined)
})

test('problems of the header are kept, malformed ones are not', () => {
  const header = '{"schema":"plumbline.bundle/v1","problems":[{"path":"nodes/a","reason":"no agent"},{"path":1},null]}'
  assert.deepEqual(openBundle(files({ 'bundle.json': header })).header.problems, [{ path: 'nodes/a', reason: 'no agent' }])
})

const refusals: readonly (readonly [what: string, header: string | undefined, message: RegExp])[] = [
  ['no header', undefined, /^dump\.zip: is not a bundle: it has no bundle\.json$/],
  [
    'newer schema',
    '{"schema":"plumbline.bundle/v2"}',
    /^dump\.zip\/bundle\.json: was written by a newer Plumbline: its schema is "plumbline\.bundle\/v2"/,
  ],
  ['another schema', '{"schema":"other/v1"}', /has schema "other\/v1"; "plumbline\.bundle\/v1" was expected/],
  ['no schema', '{}', /has no schema/],
  ['not an object', '[]', /is not a JSON object/],
  ['broken JSON', '{\n"schema":\n}', /^dump\.zip\/bundle\.json:3: is not valid JSON/],
  ['empty', ' ', /is empty/],
  ['binary', '\n\0\0', /bundle\.json:2: is binary data/],
]

for (const [what, header, message] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(() => openBundle(files(header === undefined ? { other: '' } : { 'bundle.json': header })), {
      name: 'FactsError',
      message,
    })
  })
}
