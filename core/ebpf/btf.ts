// SPDX-License-Identifier: Apache-2.0

/**
 * BPF Type Format, as maps carry it: Documentation/bpf/btf.rst, include/uapi/linux/btf.h. Only what describes data is kept;
 * functions and tags are passed over.
 */

export type BtfType =
  | { readonly kind: 'void' }
  | {
      readonly kind: 'int'
      readonly name: string
      readonly size: number
      readonly signed: boolean
      readonly encoding: 'char' | 'bool' | 'number'
    }
  | { readonly kind: 'float'; readonly name: string; readonly size: number }
  | { readonly kind: 'pointer'; readonly type: number }
  | { readonly kind: 'array'; readonly type: number; readonly count: number }
  | { readonly kind: 'struct' | 'union'; readonly name: string; readonly size: number; readonly members: readonly BtfMember[] }
  | {
      readonly kind: 'enum'
      readonly name: string
      readonly size: number
      readonly signed: boolean
      readonly values: ReadonlyMap<bigint, string>
    }
  /** typedef, const, volatile, restrict, type tag. */
  | { readonly kind: 'alias'; readonly name: string; readonly type: number }
  | { readonly kind: 'variable'; readonly name: string; readonly type: number }
  | { readonly kind: 'other' }

export interface BtfMember {
  readonly name: string
  readonly type: number
  readonly bitOffset: number
  /** 0: no bit field. */
  readonly bitSize: number
}

/** By type id; id 0 is void. */
export type Btf = readonly BtfType[]

const MAGIC = 0xeb9f
const HEADER = 24
const POINTER_SIZE = 8

const KIND = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  functionProto: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const

/** @throws RangeError when it is no BTF of this byte order, or is cut. */
export function parseBtf(bytes: Uint8Array): Btf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength < HEADER || view.getUint16(0, true) !== MAGIC)
    throw new RangeError('no BTF: its first two bytes are not 0xeb9f')
  const body = view.getUint32(4, true)
  const types = section(view, body + view.getUint32(8, true), view.getUint32(12, true))
  const strings = section(view, body + view.getUint32(16, true), view.getUint32(20, true))
  return new Reader(types, strings).read()
}

function section(view: DataView, offset: number, size: number): DataView {
  if (offset + size > view.byteLength)
    throw new RangeError(`BTF is cut: ${offset + size} bytes are named, ${view.byteLength} are there`)
  return new DataView(view.buffer, view.byteOffset + offset, size)
}

class Reader {
  readonly #types: DataView
  readonly #strings: DataView
  #at = 0

  constructor(types: DataView, strings: DataView) {
    this.#types = types
    this.#strings = strings
  }

  read(): Btf {
    const list: BtfType[] = [{ kind: 'void' }]
    while (this.#at < this.#types.byteLength) list.push(this.#type())
    return list
  }

  #type(): BtfType {
    const name = this.#name(this.#word())
    const info = this.#word()
    const sizeOrType = this.#word()
    const count = info & 0xffff
    const flag = info >>> 31 === 1
    switch ((info >>> 24) & 0x1f) {
      case KIND.int:
        return this.#int(name, sizeOrType)
      case KIND.float:
        return { kind: 'float', name, size: sizeOrType }
      case KIND.pointer:
        return { kind: 'pointer', type: sizeOrType }
      case KIND.array:
        return this.#array()
      case KIND.struct:
        return { kind: 'struct', name, size: sizeOrType, members: this.#members(count, flag) }
      case KIND.union:
        return { kind: 'union', name, size: sizeOrType, members: this.#members(count, flag) }
      case KIND.enum:
        return { kind: 'enum', name, size: sizeOrType, signed: flag, values: this.#enumerators(count, flag, false) }
      case KIND.enum64:
        return { kind: 'enum', name, size: sizeOrType, signed: flag, values: this.#enumerators(count, flag, true) }
      case KIND.typedef:
      case KIND.volatile:
      case KIND.const:
      case KIND.restrict:
      case KIND.typeTag:
        return { kind: 'alias', name, type: sizeOrType }
      case KIND.functionProto:
        return this.#skip(8 * count)
      case KIND.dataSection:
        return this.#skip(12 * count)
      case KIND.variable:
        this.#word() // its linkage
        return { kind: 'variable', name, type: sizeOrType }
      case KIND.declTag:
        return this.#skip(4)
      case KIND.forward:
      case KIND.function:
        return { kind: 'other' }
      default:
        // Its length is unknown, so nothing after it could be read.
        throw new RangeError(`BTF has a type of unknown kind ${(info >>> 24) & 0x1f}`)
    }
  }

  #int(name: string, size: number): BtfType {
    // Compilers call text a signed "char" and leave the kernel's flag for characters unset.
    const encoding = (this.#word() >>> 24) & 0xf
    return {
      kind: 'int',
      name,
      size,
      signed: (encoding & 1) !== 0,
      encoding: encoding & 4 ? 'bool' : (encoding & 2) !== 0 || name === 'char' ? 'char' : 'number',
    }
  }

  #array(): BtfType {
    const type = this.#word()
    this.#word() // the index's type
    return { kind: 'array', type, count: this.#word() }
  }

  #members(count: number, bitFields: boolean): readonly BtfMember[] {
    return Array.from({ length: count }, () => {
      const name = this.#name(this.#word())
      const type = this.#word()
      const offset = this.#word()
      return { name, type, bitOffset: bitFields ? offset & 0xffffff : offset, bitSize: bitFields ? offset >>> 24 : 0 }
    })
  }

  #enumerators(count: number, signed: boolean, wide: boolean): ReadonlyMap<bigint, string> {
    const values = new Map<bigint, string>()
    for (let index = 0; index < count; index++) {
      const name = this.#name(this.#word())
      const low = BigInt(this.#word())
      const value = wide ? low | (BigInt(this.#word()) << 32n) : low
      const bits = wide ? 64 : 32
      values.set(signed ? BigInt.asIntN(bits, value) : value, name)
    }
    return values
  }

  #skip(bytes: number): BtfType {
    this.#at += bytes
    return { kind: 'other' }
  }

  #word(): number {
    if (this.#at + 4 > this.#types.byteLength) throw new RangeError('BTF is cut within a type')
    const value = this.#types.getUint32(this.#at, true)
    this.#at += 4
    return value
  }

  #name(offset: number): string {
    let end = offset
    while (end < this.#strings.byteLength && this.#strings.getUint8(end) !== 0) end++
    return new TextDecoder().decode(
      new Uint8Array(this.#strings.buffer, this.#strings.byteOffset + Math.min(offset, end), Math.max(0, end - offset)),
    )
  }
}

/** The type behind typedefs and qualifiers. A cycle, which no compiler makes, ends as `other`. */
export function resolveType(btf: Btf, id: number): BtfType {
  let type = btf[id]
  for (let steps = 0; type?.kind === 'alias' && steps < 64; steps++) type = btf[type.type]
  return type === undefined || type.kind === 'alias' ? { kind: 'other' } : type
}

/** Bytes of a type; 0 for what has none. */
export function typeSize(btf: Btf, id: number, depth = 0): number {
  const type = resolveType(btf, id)
  if (type.kind === 'array') return depth > 16 ? 0 : type.count * typeSize(btf, type.type, depth + 1)
  if (type.kind === 'pointer') return POINTER_SIZE
  return 'size' in type ? type.size : 0
}
