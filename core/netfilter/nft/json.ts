// SPDX-License-Identifier: Apache-2.0

import type { BaseChain, ParseProblem, Ruleset, TableFamily } from '../ruleset.ts'
import type { HookName } from '../traversal.ts'
import { NftSyntaxError, type SetItem } from './ast.ts'
import { mapKind, namedTypes, ruleset, type SetDraft, setFlags, TableBuilder, typesOf } from './builder.ts'
import { readExpression, readItem } from './json-expression.ts'
import { readStatement } from './json-statement.ts'
import { splitObjects } from './json-split.ts'
import { isObject, isShallow, type JsonObject, only, optionalNumber, optionalString, stringIn, words } from './json-value.ts'
import { printRule } from './print.ts'
import type { DataType } from './types.ts'

/**
 * Reads `nft -j list ruleset`. nft prints it on one line; where it was reformatted, positions are those of the objects.
 * Nothing is thrown: of a truncated or broken text, the objects before the break are kept.
 */
export function parseNftJson(text: string, file: string): Ruleset {
  return new JsonParser(file).parse(text)
}

class JsonParser {
  private readonly file: string
  private readonly problems: ParseProblem[] = []
  private readonly tables = new Map<string, TableBuilder>()

  constructor(file: string) {
    this.file = file
  }

  parse(text: string): Ruleset {
    const { objects, broken } = splitObjects(text)
    for (const { json, line } of objects) {
      if (isShallow(json, MAX_DEPTH)) this.guard(line, json, () => this.object(json, line))
      else this.report(line, 'this object is nested too deeply', '')
    }
    if (broken !== undefined) this.report(broken.line, broken.reason, broken.text)
    return ruleset([...this.tables.values()], this.problems)
  }

  private guard(line: number, json: unknown, read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof NftSyntaxError)) throw error
      this.report(line, error.message, JSON.stringify(json))
    }
  }

  private report(line: number, reason: string, text: string): void {
    this.problems.push({ position: { file: this.file, line }, reason, text: text.slice(0, 2000) })
  }

  private object(json: unknown, line: number): void {
    const [kind, body] = only(json)
    if (!isObject(body)) throw new NftSyntaxError(`"${kind}" is not an object`)
    switch (kind) {
      case 'table':
        this.table(body, line)
        return
      case 'chain':
        this.chain(body, line)
        return
      case 'rule':
        this.rule(body, line)
        return
      case 'set':
      case 'map':
      case 'meter':
        this.set(kind, body, line)
        return
      case 'element':
        this.elements(body, line)
        return
      default:
        if (!IGNORED.has(kind)) throw new NftSyntaxError(`"${kind}" is not known in a ruleset`)
    }
  }

  private table(body: JsonObject, line: number): void {
    const table = this.tableOf(body, 'name')
    const flags = words(body['flags'])
    table.dormant = flags.includes('dormant')
    const strange = flags.filter((flag) => !TABLE_FLAGS.has(flag))
    if (strange.length > 0) {
      this.report(
        line,
        'nft printed table flags that can not be read: whether the table is dormant can not be told',
        strange.join(','),
      )
    }
  }

  private tableOf(body: JsonObject, key: 'name' | 'table'): TableBuilder {
    const family = stringIn(body, 'family')
    if (!isFamily(family)) throw new NftSyntaxError(`"${family}" is not a family`)
    const name = stringIn(body, key)
    const id = `${family} ${name}`
    const table = this.tables.get(id) ?? new TableBuilder(family, name, this.file, this.problems)
    this.tables.set(id, table)
    return table
  }

  private chain(body: JsonObject, line: number): void {
    const chain = this.tableOf(body, 'table').chain(stringIn(body, 'name'), line)
    if (body['hook'] === undefined) return
    chain.base = this.baseChain(body)
    const { hook, devices } = chain.base
    if ((hook === 'ingress' || hook === 'egress') && devices.length === 0) {
      this.report(line, "nft's JSON does not name the devices of this chain; its text does", `chain ${chain.name}`)
    }
  }

  private baseChain(body: JsonObject): BaseChain {
    const type = stringIn(body, 'type')
    const hook = stringIn(body, 'hook')
    if (type !== 'filter' && type !== 'nat' && type !== 'route') throw new NftSyntaxError(`"${type}" is not a chain type`)
    if (!HOOKS.has(hook)) throw new NftSyntaxError(`"${hook}" is not a hook`)
    const policy = body['policy'] === 'drop' ? 'drop' : 'accept'
    return { type, hook: hook as HookName, priority: optionalNumber(body, 'prio') ?? 0, devices: words(body['dev']), policy }
  }

  private rule(body: JsonObject, line: number): void {
    const table = this.tableOf(body, 'table')
    const chain = table.chain(stringIn(body, 'chain'), line)
    const statements = Array.isArray(body['expr']) ? body['expr'].map(readStatement) : []
    const comment = optionalString(body, 'comment')
    const text = printRule(statements, comment, table.family)
    chain.rules.push({ position: { file: this.file, line }, text, comment, handle: optionalNumber(body, 'handle'), statements })
  }

  private set(kind: 'set' | 'map' | 'meter', body: JsonObject, line: number): void {
    const dataName = kind === 'map' ? optionalString(body, 'map') : undefined
    const setKind = kind === 'map' ? mapKind(dataName ?? '') : 'set'
    const name = stringIn(body, 'name')
    const { items, incomplete } = this.items(body['elem'], line)
    const draft: SetDraft = {
      name,
      kind: setKind,
      keyTypes: readTypes(body['type']),
      dataTypes: setKind === 'map' ? readTypes(body['map']) : [],
      flags: setFlags(words(body['flags']), body['timeout'] !== undefined),
      items,
      incomplete,
      position: { file: this.file, line },
    }
    this.tableOf(body, 'table').sets.set(name, draft)
  }

  /** `{"element": …}`: how some versions print the contents apart from the set. */
  private elements(body: JsonObject, line: number): void {
    const set = this.tableOf(body, 'table').sets.get(stringIn(body, 'name'))
    const elem = isObject(body['elem']) && 'set' in body['elem'] ? body['elem']['set'] : body['elem']
    set?.items.push(...this.items(elem, line).items)
  }

  private items(json: unknown, line: number): { items: SetItem[]; incomplete: boolean } {
    const items: SetItem[] = []
    const all = Array.isArray(json) ? json : []
    for (const item of all) this.guard(line, item, () => void items.push(readItem(item, line)))
    return { items, incomplete: items.length < all.length }
  }
}

/** Real rules nest about a dozen deep. */
const MAX_DEPTH = 64

const IGNORED = new Set([
  'metainfo',
  'flowtable',
  'counter',
  'quota',
  'limit',
  'secmark',
  'synproxy',
  'tunnel',
  'ct helper',
  'ct timeout',
  'ct expectation',
])

const TABLE_FLAGS = new Set(['dormant', 'owner', 'persist'])
const HOOKS = new Set<string>(['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'])

function isFamily(word: string): word is TableFamily {
  return ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'].includes(word)
}

/** "ipv4_addr", ["ipv4_addr", "inet_service"], "ipv4_addr . inet_service", or {"typeof": expression}. */
function readTypes(json: unknown): readonly DataType[] {
  if (isObject(json) && json['typeof'] !== undefined) return typesOf(readExpression(json['typeof']))
  return namedTypes(words(json).flatMap((name) => name.split(' . ')))
}
