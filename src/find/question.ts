// SPDX-License-Identifier: Apache-2.0

/** What somebody wants to know everything about. */
export interface FindQuestion {
  /** An address, or "identity:12345". */
  readonly query: string
  /** Id of the source to look in; the one in question when left out. */
  readonly source?: string
}
