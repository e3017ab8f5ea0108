// SPDX-License-Identifier: Apache-2.0

/**
 * The known names a mistyped one was probably meant to be, nearest first. A name counts as near when it begins with what was
 * typed, or differs from it by at most a third of its characters (one edit is always forgiven).
 */
export function suggest(typed: string, known: Iterable<string>, limit = 3): readonly string[] {
  const candidates: { readonly name: string; readonly distance: number }[] = []
  for (const name of new Set(known)) {
    const distance = name.startsWith(typed) && typed !== '' ? 0.5 : editDistance(typed.toLowerCase(), name.toLowerCase())
    if (distance <= Math.max(1, Math.floor(name.length / 3))) candidates.push({ name, distance })
  }
  candidates.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
  return candidates.slice(0, limit).map((candidate) => candidate.name)
}

/** "; did you mean `a` or `b`?", or nothing to say. */
export function didYouMean(typed: string, known: Iterable<string>): string {
  const names = suggest(typed, known).map((name) => `\`${name}\``)
  if (names.length === 0) return ''
  const last = names.at(-1)
  return `; did you mean ${names.length === 1 ? last : `${names.slice(0, -1).join(', ')} or ${last}`}?`
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(replaced, at(last, j) + 1, at(row, j - 1) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(beforeLast, j - 2) + 1)
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
