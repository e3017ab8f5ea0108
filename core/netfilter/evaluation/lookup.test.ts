// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { range, value } from '../elements.ts'
import type { Element } from '../statement.ts'
import { ElementIndex, holds } from './lookup.ts'

const number = fc.nat({ max: 40 })
const single = fc.oneof(
  number.map(value),
  fc.tuple(number, number).map(([a, b]): Element => range(Math.min(a, b), Math.max(a, b))),
)
const element: fc.Arbitrary<Element> = fc.oneof(
  single,
  fc.tuple(single, single).map((parts): Element => ({ kind: 'concat', parts })),
  fc.constantFrom('e', 'eth', '').map((prefix): Element => ({ kind: 'wildcard', prefix })),
  fc.constantFrom('eth0', 'lo').map(value),
)

it('an index finds an element exactly where looking at each one does', () => {
  const asked = fc.oneof(number, fc.tuple(number, number), fc.constantFrom('eth0', 'eth1', 'lo'))
  fc.assert(
    fc.property(fc.array(element, { maxLength: 20 }), asked, (elements, question) => {
      const index = new ElementIndex(elements.map((key) => ({ key, item: key })))
      const found = index.find(question)
      assert.equal(
        found !== undefined,
        elements.some((key) => holds(key, question)),
      )
      if (found) assert.ok(holds(found, question))
    }),
    { numRuns: 2000 },
  )
})
