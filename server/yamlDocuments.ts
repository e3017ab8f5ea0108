// SPDX-License-Identifier: Apache-2.0

/** One YAML document of a stream: lines count from 0, both ends inclusive. */
export interface YamlPart {
  readonly startLine: number
  readonly endLine: number
  readonly text: string
}

/**
 * Splits a YAML stream at its `---` and `...` markers (YAML 1.2.2, §9.1.2) without parsing it, so that an edit costs only the
 * document it touches. Markers inside block scalars can't occur: content there is indented.
 */
export function splitDocuments(stream: string): readonly YamlPart[] {
  const lines = stream.split(/\r?\n/)
  const parts: YamlPart[] = []
  let start = 0
  const close = (end: number): void => {
    const text = lines.slice(start, end + 1)
    if (text.some((line) => line.trim() !== '')) parts.push({ startLine: start, endLine: end, text: text.join('\n') })
  }
  for (let index = 0; index < lines.length; index++) {
    if (!/^(---|\.\.\.)(\s|$)/.test(lines[index] ?? '')) continue
    close(index - 1)
    start = index + 1
  }
  close(lines.length - 1)
  return parts
}
