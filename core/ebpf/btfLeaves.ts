// SPDX-License-Identifier: Apache-2.0

import { type Btf, type BtfType, resolveType, typeSize } from './btf.ts'

/** One readable value within a type: "address", "peer.port", "counts[2]". */
export interface Leaf {
  readonly name: string
  read(view: DataView, offset: number): LeafValue
}

export interface LeafValue {
  readonly value: number | bigint | string
  /** What a person reads; a name for enumerators. */
  readonly text: string
}

/** Hostile or generated types can nest and repeat without end; a table has so many columns at most. */
const MAX_LEAVES = 256
const MAX_DEPTH = 16
/** Arrays longer than this are shown as bytes. */
const MAX_ELEMENTS = 16

/** The values of a type in the order they lie in memory. Members of a union are all listed: BTF doesn't tell which one counts. */
export function leavesOf(btf: Btf, type: number, name: string): readonly Leaf[] {
  const leaves: Leaf[] = []
  const isStruct = ['struct', 'union'].includes(resolveType(btf, type).kind)
  collect(btf, type, isStruct ? '' : name, 0, leaves, 0)
  return leaves
}

function collect(btf: Btf, id: number, name: string, offset: number, into: Leaf[], depth: number): void {
  if (into.length >= MAX_LEAVES) return
  const type = resolveType(btf, id)
  const size = typeSize(btf, id)
  if (depth > MAX_DEPTH || size === 0) return
  switch (type.kind) {
    case 'struct':
    case 'union':
      for (const member of type.members) {
        const path = [name, member.name].filter((part) => part !== '').join('.')
        if (member.bitSize > 0)
          into.push(bitLeaf(path, 8 * offset + member.bitOffset, member.bitSize, resolveType(btf, member.type)))
        else collect(btf, member.type, path, offset + member.bitOffset / 8, into, depth + 1)
      }
      break
    case 'array': {
      const element = resolveType(btf, type.type)
      const isBytes = element.kind === 'int' && element.size === 1
      if (isBytes || type.count > MAX_ELEMENTS) into.push(bytesLeaf(name, offset, size, isBytes && element.encoding === 'char'))
      else
        for (let i = 0; i < type.count; i++)
          collect(btf, type.type, `${name}[${i}]`, offset + (i * size) / type.count, into, depth + 1)
      break
    }
    case 'int':
      into.push(size > 8 ? bytesLeaf(name, offset, size, false) : bitLeaf(name, 8 * offset, 8 * size, type))
      break
    case 'enum':
      into.push(bitLeaf(name, 8 * offset, 8 * size, type))
      break
    case 'pointer':
      into.push({ name, read: (view, at) => hexNumber(view.getBigUint64(at + offset, true)) })
      break
    case 'float':
      into.push(floatLeaf(name, offset, size))
      break
    default:
      into.push(bytesLeaf(name, offset, size, false))
  }
}

/** An integer of up to 64 bits anywhere, little-endian, as both of the agent's architectures are. */
function bitLeaf(name: string, bitOffset: number, bits: number, type: BtfType): Leaf {
  const first = bitOffset >>> 3
  const shift = BigInt(bitOffset & 7)
  const bytes = ((bitOffset & 7) + bits + 7) >>> 3
  const signed = (type.kind === 'int' || type.kind === 'enum') && type.signed
  return {
    name,
    read(view, at) {
      let whole = 0n
      for (let i = bytes - 1; i >= 0; i--) whole = (whole << 8n) | BigInt(view.getUint8(at + first + i))
      const raw = whole >> shift
      return integer(signed ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw), bits, type)
    },
  }
}

function integer(number: bigint, bits: number, type: BtfType): LeafValue {
  const value = bits > 53 ? number : Number(number)
  if (type.kind === 'enum') return { value, text: type.values.get(number) ?? String(number) }
  if (type.kind === 'int' && type.encoding === 'bool') return { value, text: number === 0n ? 'false' : 'true' }
  return { value, text: String(number) }
}

function floatLeaf(name: string, offset: number, size: number): Leaf {
  if (size !== 4 && size !== 8) return bytesLeaf(name, offset, size, false)
  return {
    name,
    read(view, at) {
      const value = size === 4 ? view.getFloat32(at + offset, true) : view.getFloat64(at + offset, true)
      return { value: Number.isFinite(value) ? value : String(value), text: String(value) }
    },
  }
}

function bytesLeaf(name: string, offset: number, size: number, characters: boolean): Leaf {
  return {
    name,
    read(view, at) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at + offset, size)
      const text = characters ? stringIn(bytes) : undefined
      return { value: text ?? hexBytes(bytes), text: text ?? hexBytes(bytes) }
    },
  }
}

/** A C string, if that is what it is: printable ASCII, then zeros. */
function stringIn(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0)
  const text = bytes.subarray(0, end < 0 ? bytes.length : end)
  const isText = text.every((byte) => byte >= 0x20 && byte < 0x7f) && bytes.subarray(text.length).every((byte) => byte === 0)
  return isText ? String.fromCharCode(...text) : undefined
}

export function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

function hexNumber(value: bigint): LeafValue {
  return { value, text: `0x${value.toString(16)}` }
}
