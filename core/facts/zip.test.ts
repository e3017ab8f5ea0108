// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { strToU8, Zip, ZipDeflate, type Zippable, zipSync } from 'fflate'
import { FactsError } from './error.ts'
import { memoryFiles } from './memory.ts'
import { packZip, unpackZip, ZIP_LIMITS } from './zip.ts'
import { looksLikeZip, MAX_ENTRIES, readZipDirectory } from './zipDirectory.ts'

function refused(bytes: Uint8Array, reason: RegExp, limits = ZIP_LIMITS): void {
  assert.throws(
    () => unpackZip(bytes, 'a.zip', undefined, limits),
    (error) => error instanceof FactsError && error.file === 'a.zip' && reason.test(error.message),
  )
}

/** Replaces a name in local header and directory by one of the same length. */
function renamed(bytes: Uint8Array, from: string, to: string): Uint8Array {
  assert.equal(from.length, to.length)
  const text = Buffer.from(bytes).toString('latin1').replaceAll(from, to)
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}

/** Changes two bytes at an offset of the only central directory entry. */
function patchedEntry(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = Buffer.from(copy).indexOf('PK\x01\x02', 0, 'latin1')
  new DataView(copy.buffer).setUint16(at + offset, value, true)
  return copy
}

test('what was packed comes out again, whatever it is', () => {
  const path = fc.stringMatching(/^[a-z0-9_-]{1,8}(\/[a-zé]{1,8}){0,2}\.json$/)
  fc.assert(
    fc.property(fc.dictionary(path, fc.uint8Array({ maxLength: 3000 })), (contents) => {
      const files = memoryFiles('x', new Map(Object.entries(contents)))
      const packed = packZip(files)
      assert.deepEqual(packZip(files), packed)
      const unpacked = unpackZip(packed, 'x')
      assert.deepEqual(unpacked.list(), files.list())
      for (const each of files.list())
        assert.deepEqual(Buffer.from(unpacked.read(each) ?? []), Buffer.from(files.read(each) ?? []))
    }),
    { numRuns: 50 },
  )
})

test('stored entries, and entries whose sizes stand behind the data, are read', () => {
  assert.deepEqual(unpackZip(zipSync({ a: [strToU8('hello'), { level: 0 }] }), 'a.zip').read('a'), strToU8('hello'))
  const parts: Uint8Array[] = []
  const zip = new Zip((_error, part) => parts.push(part))
  for (const name of ['x/one', 'x/two']) {
    const file = new ZipDeflate(name)
    zip.add(file)
    // The data holds the signature a naive reader looks for.
    file.push(strToU8(`${name} PK\x07\x08PK\x03\x04`.repeat(50)), true)
  }
  zip.end()
  const files = unpackZip(Uint8Array.from(Buffer.concat(parts)), 'a.zip')
  assert.deepEqual(files.list(), ['x/one', 'x/two'])
  assert.deepEqual(files.read('x/two'), strToU8('x/two PK\x07\x08PK\x03\x04'.repeat(50)))
})

test('only wanted entries are unpacked', () => {
  const bytes = zipSync({ 'a.log': new Uint8Array(2 ** 22), 'b.json': strToU8('{}') })
  assert.deepEqual(unpackZip(bytes, 'a.zip', (path) => path.endsWith('.json')).list(), ['b.json'])
})

test('paths that could leave the bundle are refused', () => {
  for (const path of ['../x', 'a/../x', '/etc/x', 'a\\..\\x', 'C:x', 'a//b', './x', 'a/\0', '..']) {
    refused(zipSync({ [path]: strToU8('x') }), /unsafe path/)
  }
})

test('two entries of one name are refused', () => {
  refused(
    renamed(zipSync({ 'first.json': strToU8('1'), 'other.json': strToU8('2') }), 'other.json', 'first.json'),
    /two entries named "first.json"/,
  )
})

test('a bomb is stopped by its ratio, by the total, and by the number of entries', () => {
  refused(zipSync({ zeros: new Uint8Array(2 ** 24) }), /entry "zeros" unpacks to more than 100 times/)
  const limits = { unpacked: 1000, ratio: 100, ratioFree: 2 ** 20 }
  refused(zipSync({ a: new Uint8Array(600), b: new Uint8Array(600) }), /unpacks to more than 0 MiB/, limits)
  refused(zipSync({ a: [new Uint8Array(1001), { level: 0 }] }), /unpacks to more than/, limits)
  const many: Zippable = {}
  for (let i = 0; i <= MAX_ENTRIES; i++) many[`f${i}`] = new Uint8Array()
  refused(zipSync(many, { level: 0 }), /has 20001 entries; at most 20000/)
})

test('a declared size that lies does not help a bomb', () => {
  const bytes = zipSync({ zeros: new Uint8Array(2 ** 24) })
  const at = Buffer.from(bytes).indexOf('PK\x01\x02', 0, 'latin1')
  new DataView(bytes.buffer).setUint32(at + 24, 10, true)
  refused(bytes, /more than 100 times/)
})

test('encrypted entries, links and unknown methods are refused by name', () => {
  const plain = zipSync({ 'a.json': strToU8('{}') })
  refused(patchedEntry(plain, 8, 1), /"a.json" is encrypted/)
  refused(patchedEntry(plain, 10, 14), /"a.json" uses compression method 14/)
  refused(patchedEntry(plain, 40, 0o120777), /"a.json" is a symbolic link/)
})

test('damage anywhere gives a FactsError or the same content, never anything else', () => {
  const good = zipSync({
    'a.json': strToU8('{"some":"content","that":"compresses, compresses, compresses"}'),
    b: [strToU8('stored'), { level: 0 }],
  })
  const damage = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255), cut: fc.option(fc.nat(good.length - 1)) })
  fc.assert(
    fc.property(damage, ({ at, byte, cut }) => {
      const bad = Uint8Array.from(good.subarray(0, cut ?? good.length))
      if (at < bad.length) bad[at] = byte
      try {
        const files = unpackZip(bad, 'a.zip')
        for (const path of files.list()) assert.ok(files.read(path))
      } catch (error) {
        assert.ok(error instanceof FactsError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
  const flipped = Uint8Array.from(good)
  const data = Buffer.from(good).indexOf('stored')
  flipped[data] = 'S'.charCodeAt(0)
  refused(flipped, /entry "b" is damaged/)
})

test('a zip is known by its first bytes', () => {
  assert.ok(looksLikeZip(zipSync({ a: strToU8('x') })))
  assert.ok(looksLikeZip(zipSync({})))
  assert.ok(!looksLikeZip(strToU8('PKzip')))
  assert.deepEqual(readZipDirectory(zipSync({}), 'a.zip'), [])
})
