// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { strToU8, zipSync } from 'fflate'
import type { FactFiles } from '../../core/facts/files.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import { folderFiles } from './folder.ts'
import { openManifests } from './manifests.ts'
import { openBundlePath } from './openBundle.ts'
import { readRules, recognise } from './rules.ts'
import { writeBundle } from './writeBundle.ts'

const place = mkdtempSync(join(tmpdir(), 'plumbline-files-'))
after(() => rmSync(place, { recursive: true }))

const HEADER = '{"schema":"plumbline.bundle/v1"}'
let folders = 0

/** A new folder with these files. */
function folder(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const root = join(place, `f${folders++}`)
  mkdirSync(root)
  for (const [path, content] of Object.entries(contents)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

function contentsOf(files: FactFiles): Readonly<Record<string, string>> {
  return Object.fromEntries(files.list().map((path) => [path, new TextDecoder().decode(files.read(path))]))
}

const BUNDLE = memoryFiles(
  'lab',
  new Map([
    ['bundle.json', strToU8(HEADER)],
    ['nodes/n1/node.json', strToU8('{}')],
  ]),
)

for (const name of ['bundle', 'bundle.zip']) {
  test(`a bundle written to ${name} opens again, replaces an older one, and leaves nothing beside it`, () => {
    const root = folder({})
    const path = join(root, name)
    writeBundle(BUNDLE, path)
    assert.deepEqual(contentsOf(openBundlePath(path).files), contentsOf(BUNDLE))
    const newer = memoryFiles(
      'lab',
      new Map([
        ['bundle.json', strToU8(HEADER)],
        ['objects/pods.json', strToU8('[]')],
      ]),
    )
    writeBundle(newer, path)
    assert.deepEqual(contentsOf(openBundlePath(path).files), contentsOf(newer))
    assert.deepEqual(readdirSync(root), [name])
  })
}

test('what is not a bundle is never overwritten', () => {
  const root = folder({ 'keep/precious.txt': 'x', 'notes.zip': 'not a zip', 'other.zip': zipSync({ a: strToU8('x') }) })
  for (const [name, message] of [
    ['keep', /keep: exists and is not a bundle; it is left as it is/],
    ['notes.zip', /exists and is not a bundle/],
    ['other.zip', /exists and is not a bundle/],
    ['keep/precious.txt', /is a file; a folder can't replace it/],
    ['nowhere/bundle.zip', /nowhere: no such folder/],
  ] as const) {
    assert.throws(() => writeBundle(BUNDLE, join(root, name)), { name: 'FactsError', message })
  }
  mkdirSync(join(root, 'x.zip'))
  assert.throws(() => writeBundle(BUNDLE, join(root, 'x.zip')), /is a folder; a zip can't replace it/)
  assert.equal(readFileSync(join(root, 'keep/precious.txt'), 'utf8'), 'x')
  assert.deepEqual(readdirSync(root).sort(), ['keep', 'notes.zip', 'other.zip', 'x.zip'])
})

test('a path that leaves the bundle is not written, and the old bundle stays', () => {
  const root = folder({ 'b/bundle.json': HEADER })
  const hostile = memoryFiles(
    'lab',
    new Map([
      ['bundle.json', strToU8(HEADER)],
      ['nodes/../../../evil', strToU8('x')],
    ]),
  )
  assert.throws(() => writeBundle(hostile, join(root, 'b')), /unsafe path, "nodes\/\.\.\/\.\.\/\.\.\/evil"/)
  assert.deepEqual(readdirSync(root), ['b'])
  assert.ok(!existsSync(join(place, 'evil')))
})

test('links in a folder may lead to files inside it, and nowhere else', () => {
  const root = folder({ 'b/bundle.json': HEADER, secret: 'x' })
  symlinkSync('bundle.json', join(root, 'b', 'inside'))
  assert.deepEqual(contentsOf(folderFiles(join(root, 'b'))), { 'bundle.json': HEADER, inside: HEADER })
  symlinkSync('../secret', join(root, 'b', 'outside'))
  assert.throws(() => folderFiles(join(root, 'b')), {
    name: 'FactsError',
    message: /outside: is a symbolic link that leaves the bundle/,
  })
  rmSync(join(root, 'b', 'outside'))
  symlinkSync('nowhere', join(root, 'b', 'dangling'))
  assert.throws(() => folderFiles(join(root, 'b')), /dangling: no such file or folder/)
})

test('bundles are refused with place and reason', () => {
  const root = folder({
    'empty.zip': '',
    'garbage.zip': new Uint8Array([1, 2, 3]),
    'cut.zip': zipSync({ 'bundle.json': strToU8(HEADER) }).subarray(0, 60),
  })
  for (const [name, message] of [
    ['absent', /absent: no such file or folder/],
    ['empty.zip', /is neither a folder nor a zip/],
    ['garbage.zip', /is neither a folder nor a zip/],
    ['cut.zip', /is truncated or not a zip/],
    ['.', /is not a bundle: it has no bundle\.json/],
  ] as const) {
    assert.throws(() => openBundlePath(join(root, name)), { name: 'FactsError', message })
  }
})

test('a Cilium sysdump is opened as its objects, as zip and unpacked', () => {
  const dump = {
    'cilium-sysdump-20260102-030405/k8s-nodes-20260102-030405.yaml': strToU8(
      'apiVersion: v1\nkind: NodeList\nitems:\n- metadata: {name: n1}\n',
    ),
    'cilium-sysdump-20260102-030405/logs-cilium-x-20260102-030405.log': new Uint8Array(2 ** 22),
  }
  const root = folder({ ...dump, 'dump.zip': zipSync(dump) })
  for (const path of [join(root, 'dump.zip'), join(root, 'cilium-sysdump-20260102-030405')]) {
    const { files, header } = openBundlePath(path)
    assert.equal(header, undefined)
    assert.deepEqual(files.list(), ['objects/nodes.json'])
  }
})

test('manifests are found in folders, once each', () => {
  const pod = (name: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\n`
  const root = folder({ 'a.yaml': pod('a'), 'sub/b.yml': pod('b'), 'sub/readme.md': '[not: yaml', 'none/x.txt': '' })
  const files = openManifests([root, join(root, 'a.yaml')])
  const pods: { items: { metadata: { name: string } }[] } = JSON.parse(contentsOf(files)['objects/pods.json'] ?? '')
  assert.deepEqual(
    pods.items.map((item) => item.metadata.name),
    ['a', 'b'],
  )
  assert.throws(() => openManifests([join(root, 'none')]), /none: holds no \.yaml, \.yml or \.json files/)
})

test('rules are told apart by content', () => {
  assert.equal(recognise('# Generated by iptables-save v1.8.9\n*filter\n'), 'iptables-save')
  assert.equal(recognise('\n-P INPUT ACCEPT\n-A INPUT -j DROP\n'), 'iptables-save')
  assert.equal(recognise('table inet filter {\n'), 'nft')
  assert.equal(recognise(' {"nftables": [{}]}'), 'nft')
  assert.equal(recognise('create KUBE-LOOP-BACK hash:ip,port,ip family inet\n'), 'ipset')
  assert.equal(recognise('hello\n'), undefined)
  const root = folder({
    nft: 'table ip x {\n}\n',
    empty: '\n \n',
    binary: new Uint8Array([65, 10, 0]),
    latin: new Uint8Array([35, 10, 233]),
  })
  for (const [name, message] of [
    ['nft', /nft: is the output of `nft list ruleset`: give it with `--nft`/],
    ['binary', /binary:2: is binary data/],
    ['latin', /latin:2: is not valid UTF-8/],
    ['.', /is a folder, a file was expected/],
    ['absent', /absent: no such file or folder/],
  ] as const) {
    assert.throws(() => readRules(join(root, name), 'iptables-save'), { name: 'FactsError', message })
  }
})
