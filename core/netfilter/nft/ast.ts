// SPDX-License-Identifier: Apache-2.0

/**
 * nft rules as nft itself speaks of them, before their meaning is worked out. The shapes are those of libnftables-json(5), so
 * that its JSON decodes into them one to one; the text grammar builds the same. Constants keep the words of the input:
 * `lower-*.ts` gives them a type by what they are compared with.
 */

export type Expr =
  /** A constant: "tcp", "10.0.0.1", 80, "0x4000". Booleans are JSON's `exists` and `missing`. */
  | { readonly kind: 'constant'; readonly value: string | number | boolean }
  | { readonly kind: 'payload'; readonly protocol: string; readonly field: string; readonly tunnel?: string }
  | { readonly kind: 'raw'; readonly base: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'meta'; readonly key: string }
  | { readonly kind: 'ct'; readonly key: string; readonly direction?: string }
  | { readonly kind: 'fib'; readonly result: string; readonly flags: readonly string[] }
  | { readonly kind: 'rt'; readonly key: string; readonly family?: string }
  | { readonly kind: 'socket'; readonly key: string; readonly level?: number }
  | { readonly kind: 'osf'; readonly key: string; readonly ttl?: string }
  | {
      readonly kind: 'ipsec'
      readonly direction: string
      readonly spnum: number
      readonly key: string
      readonly family?: string
    }
  | { readonly kind: 'numgen'; readonly mode: string; readonly modulus: number; readonly offset: number }
  | {
      readonly kind: 'hash'
      readonly algorithm: 'jhash' | 'symhash'
      readonly of?: Expr
      readonly modulus: number
      readonly seed?: number
      readonly offset: number
    }
  | { readonly kind: 'exthdr'; readonly header: ExthdrKind; readonly name: string; readonly field?: string }
  | { readonly kind: 'concat'; readonly parts: readonly Expr[] }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'range'; readonly from: Expr; readonly to: Expr }
  | { readonly kind: 'prefix'; readonly address: Expr; readonly bits: number }
  /** `established,related`. */
  | { readonly kind: 'list'; readonly items: readonly Expr[] }
  | { readonly kind: 'set'; readonly elements: readonly SetItem[] }
  | { readonly kind: 'set-reference'; readonly name: string }
  | { readonly kind: 'map'; readonly key: Expr; readonly data: Expr }
  /** Readable, and nothing more is known. */
  | { readonly kind: 'opaque'; readonly text: string }

export type ExthdrKind = 'exthdr' | 'tcp option' | 'ip option' | 'sctp chunk' | 'dccp option'
export type BinaryOp = '&' | '|' | '^' | '<<' | '>>'

export interface SetItem {
  readonly key: Expr
  readonly data?: Expr
  readonly verdict?: VerdictNode
  readonly comment?: string
  readonly statements: readonly Stmt[]
  /** Line in the file. */
  readonly line: number
}

export type VerdictNode =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'return' | 'queue' }
  | { readonly kind: 'jump' | 'goto'; readonly target: string }

/** `in` is the bit test nft writes without an operator, `!` its negation. */
export type MatchOp = '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in' | '!'

export type Stmt =
  | { readonly kind: 'match'; readonly op: MatchOp; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'mangle'; readonly key: Expr; readonly value: Expr }
  | { readonly kind: 'verdict'; readonly verdict: VerdictNode }
  | { readonly kind: 'vmap'; readonly key: Expr; readonly data: Expr }
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number }
  /** A named object of the table, by constant or by map: `counter name "c"`, `ct helper set "h"`. */
  | { readonly kind: 'object'; readonly type: string; readonly name: Expr }
  | {
      readonly kind: 'limit'
      readonly rate: number
      readonly unit: string
      readonly per: string
      readonly burst: number
      readonly burstUnit: string
      readonly over: boolean
    }
  | { readonly kind: 'quota'; readonly bytes: number; readonly over: boolean }
  | { readonly kind: 'ct-count'; readonly count: number; readonly over: boolean }
  | { readonly kind: 'last' }
  | {
      readonly kind: 'log'
      readonly prefix?: string
      readonly group?: number
      readonly level?: string
      readonly flags: readonly string[]
      readonly snaplen?: number
      readonly threshold?: number
    }
  | {
      readonly kind: 'nat'
      readonly op: 'snat' | 'dnat' | 'masquerade' | 'redirect'
      readonly family?: string
      readonly address?: Expr
      readonly port?: Expr
      readonly flags: readonly string[]
      readonly prefix: boolean
    }
  | { readonly kind: 'tproxy'; readonly family?: string; readonly address?: Expr; readonly port?: Expr }
  | { readonly kind: 'reject'; readonly type?: string; readonly code?: Expr }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'queue'; readonly number?: Expr; readonly flags: readonly string[] }
  | { readonly kind: 'dup'; readonly address?: Expr; readonly device?: Expr }
  | { readonly kind: 'fwd'; readonly device: Expr; readonly family?: string; readonly address?: Expr }
  | { readonly kind: 'flow'; readonly flowtable: string }
  | {
      readonly kind: 'set-update'
      readonly op: string
      readonly set: string
      readonly key: Expr
      readonly data?: Expr
      readonly timeout?: number
      readonly statements: readonly Stmt[]
    }
  | { readonly kind: 'meter'; readonly name: string; readonly key: Expr; readonly size?: number; readonly statement: Stmt }
  | { readonly kind: 'synproxy'; readonly text: string }
  | { readonly kind: 'reset'; readonly key: Expr }
  | { readonly kind: 'xt'; readonly type: string; readonly name: string }
  /** `match`: it is known to be one, so that at worst it ends the rule. */
  | { readonly kind: 'unknown'; readonly text: string; readonly reason: string; readonly match: boolean }

/** A place in a rule that can't be understood. Caught where the rule's end is known. */
export class NftSyntaxError extends Error {}
