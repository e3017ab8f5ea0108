// SPDX-License-Identifier: Apache-2.0

/** One JSON document, as `--json` prints it. JSON escapes C0 controls itself; names stay exactly as they are. */
export function jsonText(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`
}
