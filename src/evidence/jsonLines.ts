// SPDX-License-Identifier: Apache-2.0

export interface JsonLines {
  readonly text: string
  /** Line of the value at the pointer, from 0; of its nearest parent when it is not there. */
  readonly line: number
}

/** JSON in the form people read, and where in it a JSON pointer (RFC 6901) leads. */
export function jsonLines(value: unknown, pointer: string): JsonLines {
  const lines: string[] = []
  let line = 0
  let depth = -1
  const note = (at: string) => {
    if ((pointer === at || pointer.startsWith(`${at}/`)) && at.length > depth) {
      depth = at.length
      line = lines.length
    }
  }
  const print = (current: unknown, at: string, indent: string, before: string, after: string): void => {
    note(at)
    const entries = entriesOf(current)
    if (entries === undefined || entries.length === 0) {
      lines.push(`${indent}${before}${JSON.stringify(current)}${after}`)
      return
    }
    const [open, close] = Array.isArray(current) ? '[]' : '{}'
    lines.push(`${indent}${before}${open}`)
    for (const [index, [key, child]] of entries.entries()) {
      const label = Array.isArray(current) ? '' : `${JSON.stringify(key)}: `
      print(
        child,
        `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        `${indent}  `,
        label,
        index < entries.length - 1 ? ',' : '',
      )
    }
    lines.push(`${indent}${close}${after}`)
  }
  print(value, '', '', '', '')
  return { text: lines.join('\n'), line }
}

function entriesOf(value: unknown): [string, unknown][] | undefined {
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined
}
