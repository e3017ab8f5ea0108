// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { bundleRoot, openBundle } from '../../core/facts/bundle.ts'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import { importSysdump, isSysdump, isSysdumpFile } from '../../core/facts/sysdump.ts'
import { unpackZip, ZIP_LIMITS } from '../../core/facts/zip.ts'
import { looksLikeZip, readZipDirectory } from '../../core/facts/zipDirectory.ts'

const MAX_FILES = 20_000

export interface OpenedBundle {
  readonly files: FactFiles
  readonly problems: readonly string[]
}

/** Opens a bundle or a Cilium sysdump: a folder or a zip. Throws FactsError. */
export async function openBundleAt(place: vscode.Uri): Promise<OpenedBundle> {
  const name = place.scheme === 'file' ? place.fsPath : place.toString(true)
  const stat = await guarded(name, () => vscode.workspace.fs.stat(place))
  return recognise((stat.type & vscode.FileType.Directory) === 0 ? await readArchive(place, name) : await readFolder(place, name))
}

function recognise(files: FactFiles): OpenedBundle {
  if (bundleRoot(files) === undefined && isSysdump(files.list())) return { files: importSysdump(files), problems: [] }
  const { header, files: inner } = openBundle(files)
  return { files: inner, problems: header.problems.map(({ path, reason }) => `${path}: ${reason}`) }
}

async function readArchive(uri: vscode.Uri, name: string): Promise<FactFiles> {
  const bytes = await guarded(name, () => vscode.workspace.fs.readFile(uri))
  if (!looksLikeZip(bytes)) throw new FactsError('is neither a folder nor a zip', { file: name })
  const sysdump = isSysdump(readZipDirectory(bytes, name).map((entry) => entry.path))
  return unpackZip(bytes, name, sysdump ? isSysdumpFile : undefined)
}

/** Reads a folder as a whole, within the limits that hold for a zip. Symbolic links are not followed. */
async function readFolder(root: vscode.Uri, name: string): Promise<FactFiles> {
  const contents = new Map<string, Uint8Array>()
  let left = ZIP_LIMITS.unpacked
  const walk = async (folder: string): Promise<void> => {
    for (const [entry, type] of await guarded(name, () => vscode.workspace.fs.readDirectory(vscode.Uri.joinPath(root, folder)))) {
      const path = folder === '' ? entry : `${folder}/${entry}`
      if (type === vscode.FileType.Directory) await walk(path)
      else if (type === vscode.FileType.File) {
        const bytes = await guarded(path, () => vscode.workspace.fs.readFile(vscode.Uri.joinPath(root, path)))
        left -= bytes.length
        if (left < 0) throw new FactsError(`holds more than ${ZIP_LIMITS.unpacked / 2 ** 20} MiB`, { file: name })
        if (contents.size >= MAX_FILES) throw new FactsError(`has more than ${MAX_FILES} files`, { file: name })
        contents.set(path, bytes)
      }
    }
  }
  await walk('')
  return memoryFiles(name, contents)
}

async function guarded<T>(file: string, task: () => Thenable<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw new FactsError(error instanceof vscode.FileSystemError ? `can't be read: ${error.code}` : String(error), { file })
  }
}
