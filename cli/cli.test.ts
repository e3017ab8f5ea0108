// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { strToU8, zipSync } from 'fflate'
import { plumbline } from '../test/support/cli.ts'
import { coloured } from './colour.ts'
import { COMMANDS } from './commands.ts'
import { wantsColour } from './io.ts'

const place = mkdtempSync(join(tmpdir(), 'plumbline-cli-'))
after(() => rmSync(place, { recursive: true }))

const OBJECTS = 'test/fixtures/raw/iptables/objects'
const RULES = 'test/fixtures/raw/iptables/n1/iptables-nft-save.txt'
const ENDS = ['--from', '10.0.0.5', '--to', '10.0.0.1:80/TCP']

function file(name: string, content: string | Uint8Array): string {
  const path = join(place, name)
  writeFileSync(path, content)
  return path
}

const GOOD = file('good.txt', '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j DROP\nCOMMIT\n')

/** Fails with the exit code, a message like this, and nothing on standard output. */
async function fails(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const result = await plumbline(args)
  assert.match(result.stderr, message)
  assert.equal(result.code, code, result.stderr)
  assert.equal(result.stdout, '')
  assert.doesNotMatch(result.stderr, /internal error|\n {4}at /)
}

const usage: readonly (readonly [what: string, args: readonly string[], message: RegExp])[] = [
  ['no command', [], /Usage: plumbline COMMAND/],
  ['unknown command', ['trcae'], /unknown command `trcae`; did you mean `trace`\?; there are: trace, maps, \w[^`]*help/],
  ['a command of a later version', ['lint', 'x.yaml'], /unknown command `lint`; there are: trace/],
  ['unknown option', ['trace', '--fro', 'x'], /unknown option `--fro`; did you mean `--from`\?\nSee `plumbline trace --help`/],
  ['unknown global option', ['--vresion'], /unknown option `--vresion`/],
  ['no facts', ['trace', ...ENDS], /no facts: name a live cluster \(`--context`\)/],
  [
    'two kinds of facts',
    ['trace', '--bundle', 'x', '--iptables-save', GOOD, ...ENDS],
    /`--bundle` and `--iptables-save` don't go together/,
  ],
  ['no --from', ['trace', '--iptables-save', GOOD, '--to', '10.0.0.1:80/TCP'], /`--from` is missing/],
  [
    'invalid address',
    ['trace', '--iptables-save', GOOD, '--from', '10.0.0.5', '--to', '10.0.0.1.2:80/TCP'],
    /`--to`: `10\.0\.0\.1\.2:80\/TCP` is not an address/,
  ],
  [
    'invalid port',
    ['trace', '--iptables-save', GOOD, '--from', '10.0.0.5', '--to', '10.0.0.1:70000/TCP'],
    /invalid port, `70000`/,
  ],
  [
    'invalid protocol',
    ['trace', '--iptables-save', GOOD, '--from', '10.0.0.5', '--to', '10.0.0.1:80/TPC'],
    /unknown protocol, `TPC`/,
  ],
  ['missing port', ['trace', '--iptables-save', GOOD, '--from', '10.0.0.5', '--to', '10.0.0.1/TCP'], /needs a port/],
  [
    'two families',
    ['trace', '--iptables-save', GOOD, '--from', 'fd00::5', '--to', '10.0.0.1:80/TCP'],
    /`--from` is IPv6 and `--to` is IPv4/,
  ],
  [
    'two protocols',
    ['trace', '--iptables-save', GOOD, '--from', '10.0.0.5:1/UDP', '--to', '10.0.0.1:80/TCP'],
    /name different protocols/,
  ],
  [
    'a service that sends',
    ['trace', '--objects', OBJECTS, '--from', 'svc:shop/web', '--to', '10.0.0.1:80/TCP'],
    /`--from` is a service/,
  ],
  [
    'a pod without a cluster',
    ['trace', '--iptables-save', GOOD, '--from', 'pod:a/b', '--to', '10.0.0.1:80/TCP'],
    /`pod:a\/b` is known to a cluster only/,
  ],
  ['an unknown lane', ['trace', '--iptables-save', GOOD, ...ENDS, '--lane', 'epbf'], /did you mean `ebpf`/],
  [
    'a lane rules alone lack',
    ['trace', '--iptables-save', GOOD, ...ENDS, '--lane', 'ebpf'],
    /rules alone have a netfilter lane only/,
  ],
  [
    'what an eBPF lane is read from, which rules alone lack',
    ['trace', '--iptables-save', GOOD, ...ENDS, '--ebpf-source', 'planned'],
    /rules alone have a netfilter lane only/,
  ],
  ['an invalid mark', ['trace', '--iptables-save', GOOD, ...ENDS, '--mark', '0x1ffffffff'], /is not a 32-bit number/],
  ['proof without a cluster', ['trace', '--iptables-save', GOOD, ...ENDS, '--prove'], /needs a live cluster/],
  ['hooks of a cluster', ['trace', '--objects', OBJECTS, ...ENDS, '--hook-path', 'input'], /in a cluster, routes decide/],
  [
    'an invalid local address',
    ['trace', '--iptables-save', GOOD, ...ENDS, '--local', '10.0.0.1,x'],
    /`--local`: `x` is not an address/,
  ],
  ['sets without rules', ['trace', '--ipset', GOOD, ...ENDS], /`--ipset` needs rules beside it/],
  ['a stray word', ['trace', 'pod', '--iptables-save', GOOD, ...ENDS], /unexpected `pod`/],
  ['a snapshot to nowhere', ['snapshot', '--objects', OBJECTS], /`--output` is missing/],
  ['a snapshot of rules', ['snapshot', '--iptables-save', GOOD, '-o', join(place, 'x')], /unknown option `--iptables-save`/],
  ['an unknown action', ['agent', 'instal'], /unknown action `instal`; did you mean `install`\?/],
  ['an option of another action', ['agent', 'status', '--image', 'x'], /`--image` has no meaning for `agent status`/],
]

for (const [what, args, message] of usage) {
  test(`wrong usage: ${what}`, () => fails(args, 2, message))
}

function save(...lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

const unreadable: readonly (readonly [what: string, facts: () => readonly string[], message: RegExp])[] = [
  ['a missing file', () => ['--iptables-save', join(place, 'absent')], /absent: no such file or folder/],
  ['a folder', () => ['--iptables-save', place], /is a folder, a file was expected/],
  ['binary rubbish', () => ['--iptables-save', file('rubbish', new Uint8Array([42, 10, 0, 255]))], /rubbish:2: is binary data/],
  ['an empty file', () => ['--iptables-save', file('empty', '')], /empty: no table is in it/],
  ['prose', () => ['--iptables-save', file('prose', 'hello\nworld\n')], /prose:1: not a line of iptables-save: hello/],
  [
    'a cut save',
    () => ['--iptables-save', file('cut', readFileSync(RULES, 'utf8').slice(0, 2500))],
    /cut:\d+: table filter has no COMMIT before end of file: the file may be cut off/,
  ],
  [
    'a line that is no rule',
    () => ['--iptables-save', file('odd', save('*filter', ':INPUT ACCEPT [0:0]', 'drop everything', 'COMMIT'))],
    /odd:3: not a line of iptables-save: drop everything/,
  ],
  ['a listing given as a save', () => ['--iptables-save', file('listing', 'table ip x {\n}\n')], /give it with `--nft`/],
  ['a cut listing', () => ['--nft', file('cut.nft', 'table ip x {\n  chain y {\n')], /cut\.nft:\d+: the text ends inside/],
  ['a cut JSON listing', () => ['--nft', file('cut.json', '{"nftables": [{"table": ')], /cut\.json/],
  [
    'a broken ipset',
    () => ['--iptables-save', GOOD, '--ipset', file('sets', 'create a hash:ip family inet\nadd a 10.0.0.300\n')],
    /sets:2: /,
  ],
  ['broken YAML', () => ['--objects', file('bad.yaml', 'a: 1\nb: [1\n')], /bad\.yaml:\d+: is not valid YAML/],
  ['an object without kind', () => ['--objects', file('odd.yaml', 'foo: bar\n')], /odd\.yaml:1: is not a Kubernetes object/],
  ['a folder that is no bundle', () => ['--bundle', place], /is not a bundle: it has no bundle\.json/],
  [
    'a bundle of a newer Plumbline',
    () => ['--bundle', file('new.zip', zipSync({ 'bundle.json': strToU8('{"schema":"plumbline.bundle/v2"}') }))],
    /new\.zip\/bundle\.json: was written by a newer Plumbline/,
  ],
  [
    'a zip bomb',
    () => ['--bundle', file('bomb.zip', zipSync({ 'bundle.json': new Uint8Array(2 ** 25) }))],
    /bomb\.zip: entry "bundle\.json" unpacks to more than 100 times/,
  ],
  [
    'a zip that leaves its folder',
    () => ['--bundle', file('out.zip', zipSync({ '../bundle.json': strToU8('{}') }))],
    /unsafe path, "\.\.\/bundle\.json"/,
  ],
  ['a folder with a link that leaves it', linkedBundle, /secret: is a symbolic link that leaves the bundle/],
  [
    'a namespace that is not there',
    () => ['--objects', OBJECTS, '--from', 'pod:shpo/web'],
    /there is no namespace `shpo`; did you mean `shop`\?/,
  ],
  [
    'a pod that is not there',
    () => ['--objects', OBJECTS, '--from', 'pod:shop/client-n3'],
    /namespace shop has no pod `client-n3`; did you mean `client-n1` or `client-n2`\?/,
  ],
  [
    'a service that is not there',
    () => ['--objects', OBJECTS, '--from', 'pod:shop/client-n1', '--to', 'svc:shop/wep:80/TCP'],
    /has no service `wep`; did you mean `web`/,
  ],
  [
    'a port the service lacks',
    () => ['--objects', OBJECTS, '--from', 'pod:shop/client-n1', '--to', 'svc:shop/web:81/TCP'],
    /service shop\/web: it has no port `81`; it has 80\/TCP/,
  ],
  [
    'rules of a node nobody took a snapshot of',
    () => ['--objects', OBJECTS, '--from', 'pod:shop/client-n1', '--lane', 'netfilter'],
    /there is no snapshot of it/,
  ],
  [
    'maps that are not there',
    () => ['--objects', OBJECTS, '--from', 'pod:shop/client-n1', '--ebpf-source', 'cilium'],
    /no eBPF maps of Cilium/,
  ],
  ['no kubeconfig', () => ['--kubeconfig', join(place, 'absent')], /absent: no such file/],
  ['a broken kubeconfig', () => ['--kubeconfig', file('broken.kubeconfig', 'a: b\nc: [1\n')], /broken\.kubeconfig:\d+: /],
  ['an unknown context', () => ['--kubeconfig', kubeconfig(1), '--context', 'prod'], /no context `prod`; there are `lab`/],
]

function linkedBundle(): readonly string[] {
  const folder = join(place, 'linked')
  mkdirSync(folder)
  writeFileSync(join(folder, 'bundle.json'), '{"schema":"plumbline.bundle/v1"}')
  symlinkSync(GOOD, join(folder, 'secret'))
  return ['--bundle', folder]
}

function kubeconfig(port: number): string {
  return file(
    `kubeconfig-${port}`,
    save(
      'apiVersion: v1',
      'kind: Config',
      'current-context: lab',
      'contexts: [{name: lab, context: {cluster: lab, user: me}}]',
      `clusters: [{name: lab, cluster: {server: "https://127.0.0.1:${port}", insecure-skip-tls-verify: true}}]`,
      'users: [{name: me, user: {token: x}}]',
    ),
  )
}

for (const [what, facts, message] of unreadable) {
  test(`facts missing or unreadable: ${what}`, () => {
    const args = facts()
    const from = args.includes('--from') ? [] : ['--from', '10.0.0.5']
    const to = args.includes('--to') ? [] : ['--to', '10.0.0.1:80/TCP']
    return fails(['trace', ...args, ...from, ...to], 3, message)
  })
}

test('a cluster that does not answer', async () => {
  for (const args of [
    ['trace', ...ENDS],
    ['snapshot', '-o', join(place, 'never.zip')],
    ['agent', 'status'],
  ]) {
    await fails([...args, '--kubeconfig', kubeconfig(1), '--context', 'lab'], 4, /plumbline: .*(refused|ECONNREFUSED)/)
  }
})

test('Ctrl-C cancels, with its own exit code and nothing left', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  const output = join(place, 'cancelled.zip')
  let asked = false
  const result = await plumbline(['snapshot', '--kubeconfig', kubeconfig(address.port), '-o', output], {
    onStderr: (text, interrupt) => {
      if (asked || !text.includes('Connecting')) return
      asked = true
      interrupt()
    },
  })
  silent.close()
  assert.equal(result.code, 130, result.stderr)
  assert.match(result.stderr, /cancelled/)
  assert.equal(result.stdout, '')
})

test('a reader that goes away ends it quietly', async () => {
  const child = spawn(
    process.execPath,
    ['cli/main.ts', 'trace', '--objects', OBJECTS, '--from', 'pod:shop/client-n1', '--to', 'svc:shop/web:80/TCP', '--json'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  assert.equal(stderr, '')
  assert.equal(code, 0)
})

test('help is given for every command, and names every option', async () => {
  const overview = await plumbline(['--help'])
  assert.equal(overview.code, 0)
  for (const command of COMMANDS) {
    assert.match(overview.stdout, new RegExp(`^ {2}${command.name} `, 'm'))
    const ways = await Promise.all([
      plumbline([command.name, '--help']),
      plumbline(['help', command.name]),
      plumbline([command.name, '--nonsense', '-h']),
    ])
    for (const { code, stdout, stderr } of ways) {
      assert.equal(code, 0, stderr)
      assert.equal(stdout, ways[0]?.stdout)
      for (const option of command.groups.flatMap((group) => group.options))
        assert.match(stdout, new RegExp(`--${option.name}\\b`))
      assert.ok(stdout.split('\n').every((line) => line.length <= 120))
    }
  }
  assert.match((await plumbline(['--version'])).stdout, /^plumbline \d+\.\d+\.\d+\n$/)
})

test('colour is for terminals, unless refused', () => {
  assert.equal(wantsColour({}, true), true)
  assert.equal(wantsColour({}, false), false)
  assert.equal(wantsColour({ NO_COLOR: '1' }, true), false)
  assert.equal(wantsColour({ NO_COLOR: '' }, true), true)
  assert.equal(wantsColour({ TERM: 'dumb' }, true), false)
  assert.equal(coloured('✔ yes\n  ?    no? a✘b\n'), '\u001b[32m✔\u001b[0m yes\n  \u001b[33m?\u001b[0m    no? a✘b\n')
})
