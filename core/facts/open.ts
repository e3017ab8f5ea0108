// SPDX-License-Identifier: Apache-2.0

import { type BundleFile, bundleRoot, openBundle } from './bundle.ts'
import { FactsError } from './error.ts'
import type { FactFiles } from './files.ts'
import { importSysdump, isSysdump, isSysdumpFile } from './sysdump.ts'
import { unpackZip } from './zip.ts'
import { looksLikeZip, readZipDirectory } from './zipDirectory.ts'

export interface OpenedBundle {
  readonly files: FactFiles
  /** Undefined for an imported Cilium sysdump. */
  readonly header: BundleFile | undefined
}

/** A bundle, or a Cilium sysdump, in the files of a folder. Throws FactsError. */
export function openFolder(files: FactFiles): OpenedBundle {
  if (bundleRoot(files) === undefined && isSysdump(files.list())) return { files: importSysdump(files), header: undefined }
  return openBundle(files)
}

/** A bundle, or a Cilium sysdump, in a zip. Throws FactsError. */
export function openArchive(bytes: Uint8Array, name: string): OpenedBundle {
  if (!looksLikeZip(bytes)) throw new FactsError('is neither a folder nor a zip', { file: name })
  const sysdump = isSysdump(readZipDirectory(bytes, name).map((entry) => entry.path))
  // A sysdump's logs may be many times what its objects are.
  return openFolder(unpackZip(bytes, name, sysdump ? isSysdumpFile : undefined))
}
