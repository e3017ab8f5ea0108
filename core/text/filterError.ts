// SPDX-License-Identifier: Apache-2.0

/** What is wrong with a filter, and where: `at` counts characters from 0. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
  readonly at: number

  constructor(at: number, reason: string) {
    super(reason)
    this.at = at
  }
}
