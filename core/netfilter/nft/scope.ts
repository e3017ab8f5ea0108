// SPDX-License-Identifier: Apache-2.0

import type { TableFamily } from '../ruleset.ts'
import type { DataType } from './types.ts'

/** What the meaning of a rule depends on outside of it. */
export interface Scope {
  readonly family: TableFamily
  /** Types of the data of the table's named maps; empty for sets and verdict maps. */
  readonly dataTypes: Map<string, readonly DataType[]>
}
