// SPDX-License-Identifier: Apache-2.0

import { type BundleFile, bundleRoot, openBundle } from '../../core/facts/bundle.ts'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { importSysdump, isSysdump, isSysdumpObjectFile } from '../../core/facts/sysdump.ts'
import { unpackZip } from '../../core/facts/zip.ts'
import { looksLikeZip, readZipDirectory } from '../../core/facts/zipDirectory.ts'
import { folderFiles } from './folder.ts'
import { readBytes, statFile } from './reading.ts'

export interface OpenedBundle {
  readonly files: FactFiles
  /** Undefined for an imported Cilium sysdump. */
  readonly header: BundleFile | undefined
}

/** Opens a bundle or a Cilium sysdump, folder or zip. Throws FactsError. */
export function openBundlePath(path: string): OpenedBundle {
  return statFile(path).isDirectory() ? recognise(folderFiles(path)) : openArchive(path)
}

function openArchive(path: string): OpenedBundle {
  const bytes = readBytes(path)
  if (!looksLikeZip(bytes)) throw new FactsError('is neither a folder nor a zip', { file: path })
  const paths = readZipDirectory(bytes, path).map((entry) => entry.path)
  return recognise(unpackZip(bytes, path, isSysdump(paths) ? isSysdumpObjectFile : undefined))
}

function recognise(files: FactFiles): OpenedBundle {
  if (bundleRoot(files) === undefined && isSysdump(files.list())) return { files: importSysdump(files), header: undefined }
  return openBundle(files)
}
