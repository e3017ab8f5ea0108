// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { plumbline } from '../test/support/cli.ts'
import { rawFiles } from '../test/support/rawFixtures.ts'
import { recordedMaps } from '../test/support/recordedMaps.ts'

describe('plumbline maps on a bundle', () => {
  const bundle = mkdtempSync(join(tmpdir(), 'plumbline-maps-'))
  const maps = (...args: string[]) => plumbline(['maps', ...args, '--bundle', bundle])

  before(() => {
    const put = (path: string, content: string | Uint8Array) => {
      mkdirSync(dirname(join(bundle, path)), { recursive: true })
      writeFileSync(join(bundle, path), content)
    }
    put('bundle.json', '{"schema":"plumbline.bundle/v1","createdAt":"","source":"recorded","problems":[]}')
    for (const [path, content] of rawFiles('cilium')) put(path, content)
    for (const node of ['n1', 'n2'])
      for (const [path, content] of recordedMaps('cilium', node)) put(`nodes/${node}/${path}`, content)
  })
  after(() => rmSync(bundle, { recursive: true }))

  test('lists the maps of every node, by what they are for', async () => {
    const { code, stdout } = await maps()
    assert.equal(code, 0)
    for (const line of [
      /^n1: \d+ maps$/m,
      /^n2: \d+ maps$/m,
      /^Services$/m,
      /^ {2}cilium_lb4_services_v2 +id \d+ +hash +\d+\/65536 +\d+ MiB/m,
    ])
      assert.match(stdout, line)
    const { stdout: json } = await maps('n2', '--json')
    const document = JSON.parse(json)
    assert.equal(document.schema, 'plumbline.maps/v1')
    assert.ok(document.maps.length > 40)
    for (const map of document.maps) assert.equal(map.node, 'n2')
    const calls = document.maps.find((map: { name: string }) => map.name === 'cilium_call_policy')
    assert.equal(calls.entries, null, 'what was not counted is not called empty')
  })

  test('shows entries with names, filtered', async () => {
    const { code, stdout, stderr } = await maps('n1', 'cilium_lb4_services_v2', '--filter', 'port=80 and address=10.96.0.20')
    assert.equal(code, 0, stderr)
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 5, 'a head, a frontend, three backends')
    assert.match(lines[0] ?? '', /^address +port +slot/)
    assert.match(lines[1] ?? '', /^10\.96\.0\.20 \(svc shop\/web\)/)
    assert.match(stdout, /\(pod shop\/web-\S+ 10\.244\.\d+\.\d+:8080\)/)
    assert.match(stderr, /^4 of \d+ entries; the map has room for 65536$/m)
  })

  test('prints one JSON document with plain values, names and bytes', async () => {
    const { stdout } = await maps('n1', 'cilium_ct4_global', '--json', '--limit', '3')
    const document = JSON.parse(stdout)
    assert.equal(document.decodedBy, 'layout')
    assert.equal(document.entries.length, 3)
    assert.ok(document.matches > 3)
    const [{ text, key, value, raw }] = document.entries
    assert.match(text, /^TCP (IN|OUT|SVC) /)
    assert.equal(typeof key.dport, 'number')
    assert.equal(typeof value.packets, 'string', '64 bits are a string')
    assert.match(raw.key, /^[0-9a-f]{28}$/)
  })

  test('policies are told as rules, networks with their length', async () => {
    const { stdout: list } = await maps('n1', '--json')
    const names = JSON.parse(list).maps.map(({ name }: { name: string }) => name)
    const policies = await Promise.all(
      names.filter((name: string) => /^cilium_policy_v2_/.test(name)).map((name: string) => maps('n1', name)),
    )
    assert.match(policies.map(({ stdout }) => stdout).join(''), /^egress to anyone: everything/m)
    assert.match((await maps('n1', 'cilium_ipcache_v2')).stdout, /^0\.0\.0\.0\/0 .*\(reserved:world-ipv4\)/m)
  })

  const mistakes: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['an unknown map', ['n1', 'cilium_lxd'], 3, /no map `cilium_lxd`; did you mean `cilium_lxc`/],
    ['an unknown node', ['n9', 'cilium_lxc'], 3, /no snapshot of node `n9`.*there are: n1, n2/],
    ['a map of several nodes', ['cilium_lxc'], 2, /`cilium_lxc` is on several nodes; say which one: n1 \(id \d+\), n2/],
    ['an unknown field', ['n1', 'cilium_lxc', '--filter', 'mack=1'], 2, /no field `mack`; did you mean `mac`/],
    [
      'a broken filter',
      ['n1', 'cilium_lxc', '--filter', 'mac='],
      2,
      /character 5: a value after `=` is missing at the end\n {2}mac=\n {6}\^/,
    ],
    ['a filter without a map', ['n1', '--filter', 'x'], 2, /`--filter` needs a MAP/],
    ['--watch on a bundle', ['n1', 'cilium_lxc', '--watch'], 2, /live cluster only/],
    ['contents that are not there', ['n1', 'cilium_call_policy'], 3, /doesn't hold the contents of cilium_call_policy/],
    ['a limit of nothing', ['n1', 'cilium_lxc', '--limit', '0'], 2, /`--limit`/],
    ['too many words', ['n1', 'a', 'b'], 2, /unexpected `b`/],
    ['nothing one could find', ['--find', 'nonsense'], 2, /`--find`: `nonsense` is neither an address/],
    ['a filter of what is found', ['--find', '10.0.0.1', '--filter', 'x'], 2, /`--filter` can't be used with `--find`/],
  ]
  for (const [what, args, exit, message] of mistakes) {
    test(what, async () => {
      const { code, stdout, stderr } = await maps(...args)
      assert.match(stderr, message)
      assert.equal(code, exit)
      assert.equal(stdout, '')
    })
  }

  test('--find: every place that mentions an address, with its evidence', async () => {
    const { code, stdout, stderr } = await maps('--find', '10.96.0.20', '--json')
    assert.equal(code, 0, stderr)
    const document = JSON.parse(stdout)
    assert.equal(document.schema, 'plumbline.find/v1')
    const groups = new Set(document.found.map(({ group }: { group: string }) => group))
    assert.ok(groups.has('objects') && groups.has('maps'), [...groups].join())
    const entry = document.found.find(({ place }: { place: string }) => place === 'cilium_lb4_services_v2')
    assert.match(entry.evidence.keyBytes, /^0a600014/)
    const text = await maps('--find', 'svc:shop/web')
    assert.match(text.stdout, /^eBPF maps\n(.*\n)* {2}n1 · cilium_lb4_services_v2: address=10\.96\.0\.20/m)
  })

  test('a cut file is refused, never guessed at', async () => {
    writeFileSync(join(bundle, 'nodes/n2/bpf/maps/cilium_lxc.bin'), new Uint8Array(67))
    const { code, stderr } = await maps('n2', 'cilium_lxc')
    assert.equal(code, 3)
    assert.match(stderr, /cilium_lxc.*67 bytes are not a whole number of entries of 68/)
  })
})
