// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from './files.ts'

/** Facts held in memory: an unpacked zip, imported objects, a live connection's collection. */
export function memoryFiles(name: string, contents: ReadonlyMap<string, Uint8Array>): FactFiles {
  const paths = [...contents.keys()].sort()
  return { name, list: () => paths, read: (path) => contents.get(path) }
}

/** The part of `files` below `folder`, as if it were the root. Without a folder: all of it. */
export function below(files: FactFiles, folder: string): FactFiles {
  if (folder === '') return files
  const prefix = `${folder}/`
  const paths = files
    .list()
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
  return { name: files.name, list: () => paths, read: (path) => files.read(prefix + path) }
}
