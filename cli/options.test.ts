// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from './errors.ts'
import { type OptionSpec, parseOptions } from './options.ts'

const SPECS: readonly OptionSpec[] = [
  { name: 'from', takes: 'value', placeholder: 'PLACE', help: '' },
  { name: 'output', short: 'o', takes: 'value', help: '' },
  { name: 'lane', takes: 'value', choices: ['netfilter', 'ebpf', 'both'], help: '' },
  { name: 'objects', takes: 'values', help: '' },
  { name: 'json', takes: 'flag', help: '' },
]

test('values, lists, flags, short names, `=` and `--`', () => {
  const options = parseOptions(
    ['a', '--from', '10.0.0.5', '--objects', 'x', 'y', '--json', '--objects=z', '-o', '-', '--', '--b'],
    SPECS,
  )
  assert.equal(options.value('from'), '10.0.0.5')
  assert.deepEqual(options.values('objects'), ['x', 'y', 'z'])
  assert.equal(options.value('output'), '-')
  assert.ok(options.flag('json'))
  assert.ok(!options.flag('lane'))
  assert.deepEqual(options.positionals, ['a', '--b'])
  assert.deepEqual(options.given(['lane', 'json', 'from']), ['json', 'from'])
})

const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['--fro', 'x'], /^unknown option `--fro`; did you mean `--from`\?$/],
  [['--whatever'], /^unknown option `--whatever`$/],
  [['-x'], /^unknown option `-x`$/],
  [['--from'], /^`--from` needs a value: PLACE$/],
  [['--from', '--json'], /^`--from` needs a value: PLACE$/],
  [['--from='], /^`--from` needs a value/],
  [['--from', 'a', '--from', 'b'], /^`--from` is given twice$/],
  [['--json=yes'], /^`--json` takes no value$/],
  [['--lane', 'epbf'], /^`--lane` can't be `epbf`: it is one of `netfilter`, `ebpf`, `both`; did you mean `ebpf`\?$/],
  [['--objects'], /^`--objects` needs a value: VALUE$/],
]

for (const [args, message] of wrong) {
  test(`refused: ${args.join(' ')}`, () => assert.throws(() => parseOptions(args, SPECS), { name: 'UsageError', message }))
}

test('a missing option is named', () => {
  assert.throws(() => parseOptions([], SPECS).required('from'), { name: 'UsageError', message: '`--from` is missing' })
})

test('any command line is either taken apart or refused as wrong usage', () => {
  const word = fc.oneof(
    fc.constantFrom('--from', '--objects', '--json', '-o', '--', '-', '--lane=ebpf', '--constructor', '--__proto__'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(word), (args) => {
      try {
        parseOptions(args, SPECS)
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
