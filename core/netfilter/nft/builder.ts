// SPDX-License-Identifier: Apache-2.0

import type { BaseChain, ParseProblem, Position, Rule, Ruleset, Table, TableFamily } from '../ruleset.ts'
import type { NftSet, Statement } from '../statement.ts'
import { type Expr, NftSyntaxError, type SetItem, type Stmt } from './ast.ts'
import { isIptablesNft } from './iptables-nft.ts'
import { lowerSetElements } from './lower-set.ts'
import { lowerStatement } from './lower-statement.ts'
import type { Scope } from './scope.ts'
import { type DataType, dataType } from './types.ts'
import { typeOf } from './typing.ts'

/** One table while it is read. Text and JSON fill it; meaning is worked out when all of it is known. */
export class TableBuilder {
  readonly family: TableFamily
  readonly name: string
  dormant = false
  readonly chains = new Map<string, ChainDraft>()
  readonly sets = new Map<string, SetDraft>()
  private readonly file: string
  private readonly problems: ParseProblem[]

  constructor(family: TableFamily, name: string, file: string, problems: ParseProblem[]) {
    this.family = family
    this.name = name
    this.file = file
    this.problems = problems
  }

  chain(name: string, line: number): ChainDraft {
    const existing = this.chains.get(name)
    if (existing !== undefined) return existing
    const draft: ChainDraft = { name, base: undefined, rules: [], position: { file: this.file, line } }
    this.chains.set(name, draft)
    return draft
  }

  finish(): Table {
    const scope: Scope = { family: this.family, dataTypes: new Map() }
    for (const draft of this.sets.values()) scope.dataTypes.set(draft.name, draft.dataTypes)
    const updated = new Set<string>()
    const chains = new Map(
      [...this.chains.values()].map((draft) => [
        draft.name,
        { ...draft, rules: draft.rules.map((rule) => this.rule(rule, scope, updated)) },
      ]),
    )
    const sets = new Map([...this.sets.values()].map((draft) => [draft.name, this.set(draft, updated)]))
    const backend = isIptablesNft(this) ? 'iptables-nft' : 'nft'
    return { backend, family: this.family, name: this.name, dormant: this.dormant, chains, sets }
  }

  private rule(draft: RuleDraft, scope: Scope, updated: Set<string>): Rule {
    const statements: Statement[] = []
    for (const stmt of draft.statements) {
      try {
        if (stmt.kind === 'unknown') this.problem(draft.position, stmt.reason, draft.text)
        for (const statement of lowerStatement(stmt, scope)) {
          if (statement.kind === 'set-update') updated.add(statement.set)
          statements.push(statement)
        }
      } catch (error) {
        if (!(error instanceof NftSyntaxError)) throw error
        this.problem(draft.position, error.message, draft.text)
        statements.push(unknownStatement(stmt, draft.text))
      }
    }
    const { position, text, comment, handle } = draft
    return { position, text, comment, handle, statements }
  }

  private set(draft: SetDraft, updated: ReadonlySet<string>): NftSet {
    const { elements, problems } = lowerSetElements(draft)
    for (const { line, reason, text } of problems) this.problem({ file: this.file, line }, reason, text)
    // nft 1.0's JSON leaves the flag out, so that a rule which fills the set has to tell.
    const dynamic = updated.has(draft.name) && !draft.flags.includes('dynamic')
    const flags = dynamic ? [...draft.flags, 'dynamic' as const] : draft.flags
    const { name, kind, position } = draft
    const incomplete = draft.incomplete || problems.length > 0
    const keyType = draft.keyTypes.map((type) => type.name)
    return { name, kind, keyType, flags, elements, ...(incomplete && { incomplete }), position }
  }

  private problem(position: Position, reason: string, text: string): void {
    this.problems.push({ position, reason, text })
  }
}

/** A match that can't be read may or may not hold; any other statement may do anything. */
function unknownStatement(stmt: Stmt, text: string): Statement {
  return { kind: stmt.kind === 'match' ? 'unknown-match' : 'unknown-action', name: `nft ${stmt.kind}`, text }
}

export interface ChainDraft {
  readonly name: string
  base: BaseChain | undefined
  readonly rules: RuleDraft[]
  readonly position: Position
}

export interface RuleDraft {
  readonly position: Position
  readonly text: string
  readonly comment: string | undefined
  readonly handle: number | undefined
  readonly statements: readonly Stmt[]
}

export interface SetDraft {
  readonly name: string
  readonly kind: NftSet['kind']
  readonly keyTypes: readonly DataType[]
  /** Of maps, one per concatenated part. */
  readonly dataTypes: readonly DataType[]
  readonly flags: NftSet['flags']
  readonly items: SetItem[]
  /** Elements are missing here because they could not be read. */
  readonly incomplete: boolean
  readonly position: Position
}

const FLAG_NAMES = ['constant', 'interval', 'timeout', 'dynamic'] as const

/** In a fixed order; a set with a timeout has the flag, written or not. */
export function setFlags(words: readonly string[], hasTimeout: boolean): NftSet['flags'] {
  return FLAG_NAMES.filter((flag) => words.includes(flag) || (flag === 'timeout' && hasTimeout))
}

/** Of a map by its data type's name: "verdict", "counter" (an object), "ipv4_addr". */
export function mapKind(dataName: string): NftSet['kind'] {
  if (dataName === 'verdict') return 'verdict-map'
  return OBJECT_TYPES.has(dataName) ? 'object-map' : 'map'
}

const OBJECT_TYPES = new Set([
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'synproxy',
  'tunnel',
])

/** From "ipv4_addr . inet_service" split at the dots, or from a `typeof` expression. */
export function namedTypes(names: readonly string[]): readonly DataType[] {
  return names.map(dataType)
}

export function typesOf(expr: Expr): readonly DataType[] {
  return typeOf(expr)
}

/** Kernel and nft names of hook priorities (src/rule.c); bridge has its own. */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
}
const BRIDGE_PRIORITIES: Readonly<Record<string, number>> = { dstnat: -300, filter: -200, out: 100, srcnat: 300 }

export function namedPriority(family: TableFamily, name: string): number | undefined {
  return family === 'bridge' ? BRIDGE_PRIORITIES[name] : PRIORITIES[name]
}

export function ruleset(tables: readonly TableBuilder[], problems: ParseProblem[]): Ruleset {
  const finished = tables.map((table) => table.finish())
  problems.sort((a, b) => a.position.line - b.position.line)
  return { tables: finished, problems }
}
