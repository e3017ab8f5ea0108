// SPDX-License-Identifier: Apache-2.0

import type { FlowQuery } from './filter.ts'
import { Marks } from './marks.ts'
import { compileQuery } from './scan.ts'
import { type FlowRow, FlowStore } from '../store/store.ts'

/**
 * Whether a single flow is asked for: for files and streams that nobody keeps. Its way through a store of one row makes it judge
 * exactly as the panel does.
 *
 * @throws Error for a value that Hubble would refuse.
 */
export function matcherOf(query: FlowQuery): (event: FlowRow) => boolean {
  const store = new FlowStore({ capacity: 1 })
  const pass = compileQuery(query, store)
  const marks = new Marks()
  return (event) => {
    store.append(event)
    pass.prepare()
    return pass.run(marks.set(1), 0, 1) && marks.bytes[0] === 1
  }
}
