// SPDX-License-Identifier: Apache-2.0

/**
 * Probabilities as people say them. A rule stores 1/3 as a 31-bit fixed-point number and products of such numbers lose a
 * little more, so a fraction counts as exact when it is nearer than any other with so small a denominator could be meant.
 */

const LARGEST_DENOMINATOR = 200
const TOLERANCE = 1e-6

const GLYPHS: Readonly<Record<string, string>> = {
  '1/2': '½',
  '1/3': '⅓',
  '2/3': '⅔',
  '1/4': '¼',
  '3/4': '¾',
  '1/5': '⅕',
  '2/5': '⅖',
  '3/5': '⅗',
  '4/5': '⅘',
  '1/6': '⅙',
  '5/6': '⅚',
  '1/7': '⅐',
  '1/8': '⅛',
  '3/8': '⅜',
  '5/8': '⅝',
  '7/8': '⅞',
  '1/9': '⅑',
  '1/10': '⅒',
}

/** "⅓", "3/14", "1"; null when the probability is no small fraction. */
export function fraction(probability: number): string | null {
  for (let denominator = 1; denominator <= LARGEST_DENOMINATOR; denominator++) {
    const numerator = Math.round(probability * denominator)
    if (Math.abs(probability - numerator / denominator) > TOLERANCE) continue
    if (denominator === 1) return String(numerator)
    const plain = `${numerator}/${denominator}`
    return GLYPHS[plain] ?? plain
  }
  return null
}

/** "50 %", "33.3 %": at most one decimal, but never "0 %" or "100 %" for what is merely close to it. */
export function percent(probability: number): string {
  const rounded = Math.round(probability * 1000) / 10
  if (rounded === 0 && probability > 0) return '< 0.1 %'
  if (rounded === 100 && 1 - probability > TOLERANCE) return '> 99.9 %'
  return `${rounded} %`
}

/** "⅓", or "≈ 12.3 %" for what is no small fraction; "?" when nobody can tell. */
export function share(probability: number | null): string {
  if (probability === null) return '?'
  return fraction(probability) ?? `≈ ${percent(probability)}`
}
