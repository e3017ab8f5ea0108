// SPDX-License-Identifier: Apache-2.0

/**
 * Facts are missing or can't be read. The message names the file, the line where one is known (from 1), and the reason, in
 * the form compilers use, so that editors can jump to it.
 */
export class FactsError extends Error {
  override readonly name = 'FactsError'
  readonly file: string
  readonly line: number | undefined
  readonly reason: string

  constructor(reason: string, place: { readonly file: string; readonly line?: number | undefined }) {
    super(`${place.file}${place.line === undefined ? '' : `:${place.line}`}: ${reason}`)
    this.file = place.file
    this.line = place.line
    this.reason = reason
  }
}
