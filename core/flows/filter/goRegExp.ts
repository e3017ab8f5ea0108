// SPDX-License-Identifier: Apache-2.0

/**
 * A regular expression of Go (RE2) for JavaScript's engine: flags in front, named groups, \A and \z, POSIX classes, \Q…\E. What RE2
 * refuses is refused: back references and looking around.
 *
 * @throws Error that names the reason.
 */
export function goRegExp(pattern: string): RegExp {
  try {
    const [front = '', given = ''] = /^\(\?([ims]+)\)/.exec(pattern) ?? []
    const flags = [...new Set(given)].join('')
    return new RegExp(translate(pattern.slice(front.length), flags.includes('s')), `u${flags}`)
  } catch (error) {
    throw new Error(`\`${pattern}\` is no regular expression of Go's: ${error instanceof Error ? error.message : error}`)
  }
}

/** What stands at a place, and what it becomes. */
type Rule = readonly [RegExp, (match: RegExpExecArray) => string]

function translate(pattern: string, dotAll: boolean): string {
  const outside: readonly Rule[] = [
    [/\\Q([\s\S]*?)(?:\\E|$)/uy, ([, literal = '']) => quoted(literal)],
    [/\\A/uy, () => '(?<![\\s\\S])'],
    [/\\z/uy, () => '(?![\\s\\S])'],
    [/\\s/uy, () => `[${SPACE}]`],
    [/\\S/uy, () => `[^${SPACE}]`],
    ...ESCAPES,
    [/\(\?P</uy, () => '(?<'],
    [/\(\?(?:<?[=!])/uy, () => refuse('looking around is not possible')],
    [
      /\[(\^?)(\]?)((?:\[:\^?\w+:\]|\\[\s\S]|[^\]])*)\]/uy,
      ([, not = '', bracket = '', inner = '']) => `[${not}${bracket && '\\]'}${inClass(inner)}]`,
    ],
    [/\{\d+(?:,\d*)?\}/uy, ([repetition]) => repetition],
    [/[{}\]]/uy, ([literal]) => `\\${literal}`],
    [/\./uy, () => (dotAll ? '.' : '[^\\n]')],
    [/[\s\S]/uy, ([character]) => character],
  ]
  return rewrite(pattern, outside)
}

function inClass(inner: string): string {
  return rewrite(inner, [
    [/\[:(\^?)(\w+):\]/uy, ([, not = '', name = '']) => posixClass(name, not !== '')],
    [/\\s/uy, () => SPACE],
    ...ESCAPES,
    [/\[/uy, () => '\\['],
    [/[\s\S]/uy, ([character]) => character],
  ])
}

function rewrite(text: string, rules: readonly Rule[]): string {
  let result = ''
  for (let at = 0; at < text.length; ) {
    for (const [pattern, rule] of rules) {
      pattern.lastIndex = at
      const match = pattern.exec(text)
      if (match === null) continue
      result += rule(match)
      at = pattern.lastIndex
      break
    }
  }
  return result
}

const SPACE = '\\t\\n\\f\\r '

const ESCAPES: readonly Rule[] = [
  [/\\[1-9CGZ]/uy, ([whole]) => refuse(`\`${whole}\` is not known`)],
  [/\\x\{([0-9a-fA-F]+)\}/uy, ([, digits = '']) => `\\u{${digits}}`],
  [
    /\\([pP])(?:\{(\^?)(\w+)\}|(\w))/uy,
    ([, p = 'p', not = '', name = '', letter = '']) => unicodeClass(p, not !== '', name || letter),
  ],
  [/\\a/uy, () => '\\x07'],
  [/\\[dDwWsSbBntrfvx0]/uy, ([whole]) => whole],
  [/\\(\W|_)/uy, ([, character = '']) => (character === '-' ? '\\x2d' : quoted(character))],
]

function unicodeClass(p: string, not: boolean, name: string): string {
  const letter = not === (p === 'P') ? 'p' : 'P'
  return /^(?:[CLMNPSZ][a-z]?)$/.test(name) ? `\\${letter}{${name}}` : `\\${letter}{Script=${name}}`
}

function posixClass(name: string, not: boolean): string {
  const ranges = POSIX[name]
  if (ranges === undefined || (not && name !== 'word')) return refuse(`\`[:${not ? '^' : ''}${name}:]\` is not known`)
  return not ? '\\W' : ranges
}

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function refuse(reason: string): never {
  throw new Error(reason)
}
