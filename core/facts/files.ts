// SPDX-License-Identifier: Apache-2.0

/**
 * Where facts are read from. A folder, a zip and a live connection's memory all look like this, so that `core` never knows
 * which one it is. Paths are relative, with "/" as separator, and sorted by code unit.
 */
export interface FactFiles {
  /** What a person would recognise it by: a path, a context's name. */
  readonly name: string
  list(): readonly string[]
  /** Undefined when there is no such file. */
  read(path: string): Uint8Array | undefined
  /** Where a part of a file was written by a person, for files that were put together from others. */
  origin?(path: string, pointer: string): Origin | undefined
}

export interface Origin {
  readonly file: string
  /** Of the object; unknown in JSON. */
  readonly line: number | undefined
  /** JSON pointer within the object. */
  readonly pointer: string
}
