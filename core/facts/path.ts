// SPDX-License-Identifier: Apache-2.0

/**
 * Whether a path names a file inside the folder it is relative to, on every system: no empty, "." or ".." part, no leading
 * slash, backslash, drive letter or NUL.
 */
export function isInnerPath(path: string): boolean {
  return !path.split('/').some((part) => part === '' || part === '.' || part === '..') && !/[\\\0]|^[A-Za-z]:/.test(path)
}
