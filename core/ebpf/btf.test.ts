// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { parseBtf, resolveType, typeSize } from './btf.ts'
import { leavesOf } from './btfLeaves.ts'

/**
 * Section .BTF that `clang -g -O1 -target bpf -c` makes of
 *
 *   typedef unsigned int u32; typedef unsigned long long u64;
 *   enum mode { MODE_OFF, MODE_ON = 7, MODE_BAD = -1 };
 *   struct peer { u32 address; unsigned short port; };
 *   struct key { struct peer from; char name[8]; };
 *   struct value {
 *     u64 count; int delta; enum mode mode; u32 low : 3, high : 13; int small : 4;
 *     union { u32 number; unsigned char octets[4]; };
 *     const struct peer peers[2]; void *next; _Bool on; double ratio; u32 many[20]; signed char tiny;
 *   };
 *   struct key k; struct value v;
 */
const BLOB = new Uint8Array(
  gunzipSync(
    Buffer.from(
      'H4sIAAAAAAACA11Ru08UQRj/LSx6noiHbxMLLGwtwFhzhLvEQjFoAzFZ927H2w27M2QfIIkFEWJoSKyMiYUWFv4HFjYWlrZ2dpZWVnbqb3Y+c4/J/OZ7zPf+3v70cAXufJhymPcAXpD1W6Qzjq9PkzhJLBNnxaZBeoGYFptr4rNAXHeqhs/nhuM9X/4WRbaxbZ62yDZ3w5WA/2FPOF2N7kScTSfPWQeLR8QZ4PA1aY84LYFip69r19aBeEwUkmSfZFf4A5o+E/uX7BHS7zviOXGe+EwcSe/LTHxMetHG8WofXLI25F+RXoYb1hsSO+9938WyLc3yeS89NaS+j+M9etrV9cLKn6SfL7KLr8RfHkkxY22+jezjOzEv/I/xGWN0xi3R+UN9c2rC5pzYjOhr9td4XP+3k1uTOabF387sz8S+m27jc03Z46xXB7djxykJYmu8KrzdL7bUHp7kJoMOM4VtpXKEUZSrosC2yUtUS4uodJEMtIoWEl0OhSK2//04zBEE7fX19kbw4M5mJ3i4cb8TBNjCTphWCn1T0StSaRkiM5FCanYRJ4MYRRamaZ2ygFZPSxiNPCwTgyzUeygTPtXtW8OMqdGD+oEt5O7aaidY63aFuefoSnsVusp67MP0S1UWQ3dX6ooxKSJT9VKF0Y8d3Oyx6X/lhrf50QMAAA==',
      'base64',
    ),
  ),
)
const BTF = parseBtf(BLOB)

function idOf(name: string): number {
  const id = BTF.findIndex((type) => type.kind === 'struct' && type.name === name)
  assert.ok(id > 0)
  return id
}

function readAll(type: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Object.fromEntries(leavesOf(BTF, idOf(type), type).map((leaf) => [leaf.name, leaf.read(view, 0).text]))
}

test('sizes are those of the compiler', () => {
  assert.equal(typeSize(BTF, idOf('key')), 16)
  assert.equal(typeSize(BTF, idOf('value')), 152)
})

test('structs, characters and integers', () => {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0xfffffffe, true)
  view.setUint16(4, 8080, true)
  bytes.set(new TextEncoder().encode('web'), 8)
  assert.deepEqual(readAll('key', bytes), { 'from.address': '4294967294', 'from.port': '8080', name: 'web' })
  bytes[9] = 0x01
  assert.equal(readAll('key', bytes)['name'], '77 01 62 00 00 00 00 00', 'what is no text is shown as bytes')
})

test('bit fields, enumerators, unions, arrays, pointers and floats', () => {
  const bytes = new Uint8Array(152)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, 2n ** 63n + 1n, true)
  view.setInt32(8, -5, true)
  view.setInt32(12, -1, true)
  view.setUint16(16, 5 | (4097 << 3), true)
  bytes[18] = 0b1111
  bytes.set([1, 2, 3, 4], 20)
  view.setUint16(24 + 8 + 4, 443, true)
  view.setBigUint64(40, 0xffff888012345678n, true)
  bytes[48] = 1
  view.setFloat64(56, 0.25, true)
  view.setInt8(144, -3)
  const values = readAll('value', bytes)
  assert.deepEqual(
    { ...values, many: undefined },
    {
      count: '9223372036854775809',
      delta: '-5',
      mode: 'MODE_BAD',
      low: '5',
      high: '4097',
      small: '-1',
      number: '67305985',
      octets: '01 02 03 04',
      'peers[0].address': '0',
      'peers[0].port': '0',
      'peers[1].address': '0',
      'peers[1].port': '443',
      next: '0xffff888012345678',
      on: 'true',
      ratio: '0.25',
      tiny: '-3',
      many: undefined,
    },
  )
  assert.equal(values['many']?.split(' ').length, 80, 'long arrays are bytes')
})

test('whatever the bytes, there is an answer or a RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(BLOB.length - 1), fc.nat(255), (noise, at, byte) => {
      const broken = BLOB.slice()
      broken[at] = byte
      for (const bytes of [noise, broken, BLOB.subarray(0, at)]) {
        try {
          const btf = parseBtf(bytes)
          for (let id = 0; id < btf.length; id++) {
            resolveType(btf, id)
            assert.ok(leavesOf(btf, id, 'x').length <= 512)
          }
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error))
        }
      }
    }),
    { numRuns: 2000 },
  )
})
