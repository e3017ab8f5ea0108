// SPDX-License-Identifier: Apache-2.0

import { type OpenedBundle, openArchive, openFolder } from '../../core/facts/open.ts'
import { folderFiles } from './folder.ts'
import { readBytes, statFile } from './reading.ts'

/** Opens a bundle or a Cilium sysdump, folder or zip. Throws FactsError. */
export function openBundlePath(path: string): OpenedBundle {
  return statFile(path).isDirectory() ? openFolder(folderFiles(path)) : openArchive(readBytes(path), path)
}
