// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { plumbline } from '../test/support/cli.ts'
import { COMMANDS } from './commands.ts'
import { run } from './run.ts'

const RECORDING = 'test/fixtures/raw/cilium/hubble/clients.jsonl'
const LINES = readFileSync(RECORDING, 'utf8').trim().split('\n')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-flows-'))
after(() => rmSync(folder, { recursive: true }))

test('a recording comes out as it went in, from a file, standard input and a bundle', async () => {
  const file = await plumbline(['flows', '--input-file', RECORDING])
  assert.equal(file.code, 0, file.stderr)
  assert.deepEqual(
    file.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    LINES.map((line) => JSON.parse(line)),
  )
  const piped = await plumbline(['flows', '--input-file', '-', '--json'], { input: LINES.join('\n') })
  assert.equal(piped.stdout, file.stdout)
})

test('the nodes of a sysdump are put together in order of time', async () => {
  const nodes = { apiVersion: 'v1', kind: 'NodeList', items: [] }
  writeFileSync(join(folder, 'k8s-nodes-20260102-030405.yaml'), JSON.stringify(nodes))
  for (const [index, pod] of ['cilium-b', 'cilium-a'].entries()) {
    const lines = LINES.filter((_, line) => line % 2 === index)
    writeFileSync(join(folder, `hubble-flows-${pod}-20260102-030405.json`), `${lines.join('\n')}\n`)
  }
  const io = memoryIo()
  assert.equal(await run(['flows', '--bundle', folder], COMMANDS, io), 0, io.said.join('\n'))
  const times = io.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).time as string)
  assert.equal(times.length, LINES.length)
  assert.deepEqual(times, times.toSorted())
})

test('filters and counts mean what they mean to the hubble client', async () => {
  const dropped = await plumbline(['flows', '--input-file', RECORDING, '--verdict', 'DROPPED'])
  assert.equal(dropped.stdout.trim().split('\n').length, LINES.filter((line) => line.includes('"verdict":"DROPPED"')).length)
  const rest = await plumbline(['flows', '--input-file', RECORDING, '--not', '--verdict', 'DROPPED', '--last', '3'])
  const wanted = LINES.filter((line) => !line.includes('"verdict":"DROPPED"')).slice(-3)
  assert.deepEqual(
    rest.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).flow.uuid),
    wanted.map((line) => JSON.parse(line).flow.uuid),
  )
  const first = await plumbline(['flows', '--input-file', RECORDING, '--first', '2', '-o', 'compact'])
  assert.match(first.stdout, /^Nov 22 17:08:45\.808: shop\/[\w-]+:\d+ \(ID:\d+\) (->|<-|<>) .+ \(TCP Flags: .+\)\n.+\n$/)
})

test('lines that are no flows are told by their place, and nothing else is lost', async () => {
  const { code, stdout, stderr } = await plumbline(['flows', '--input-file', '-'], {
    input: `${LINES[0]}\nnonsense\n\n${LINES[1]}\n`,
  })
  assert.equal(code, 0)
  assert.equal(stdout.trim().split('\n').length, 2)
  assert.match(stderr, /standard input:2: is not JSON/)
  assert.match(stderr, /1 of 3 lines could not be read/)
  assert.equal((await plumbline(['flows', '--input-file', '-'], { input: 'nonsense\n' })).code, 3)
  assert.equal((await plumbline(['flows', '--input-file', '/nonexistent'])).code, 3)
})

test('what does not go together, or means nothing, is wrong usage', async () => {
  for (const [args, message] of [
    [['--input-file', RECORDING, '--follow'], /`--input-file` and `--follow` don't go together/],
    [['--server', 'localhost:1', '--node', 'n1'], /`--server` and `--node` don't go together/],
    [['--node', 'n1', '--tls'], /`--node` and `--tls` don't go together/],
    [['--verdict', 'MAYBE', '--input-file', RECORDING], /MAYBE/],
    [['--not', '--input-file', RECORDING], /behind `--not`/],
    [['--verdikt', 'DROPPED'], /did you mean `--verdict`/i],
    [['surplus', '--input-file', RECORDING], /unexpected `surplus`/],
  ] as const) {
    const io = memoryIo()
    assert.equal(await run(['flows', ...args], COMMANDS, io), 2, `${args.join(' ')}: ${io.said}`)
    assert.match(io.said.join('\n'), message)
  }
})

test('a server that is not there ends with 4 and says why', async () => {
  const io = memoryIo()
  assert.equal(await run(['flows', '--server', '127.0.0.1:1'], COMMANDS, io), 4)
  assert.match(io.said.join('\n'), /Hubble at `127\.0\.0\.1:1` can't be reached: .*ECONNREFUSED/)
  assert.equal(await run(['flows', '--server', 'nonsense'], COMMANDS, io), 4)
  assert.match(io.said.join('\n'), /`nonsense` is no address of a Hubble/)
})

function memoryIo() {
  const io = {
    text: '',
    said: [] as string[],
    out: async (text: string) => {
      io.text += text
    },
    say: (message: string) => void io.said.push(message),
    ask: async () => undefined,
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
  }
  return io
}
