// SPDX-License-Identifier: Apache-2.0

import type { Connection } from '../../net/packet.ts'
import type { BaseChain, Chain, Table } from '../ruleset.ts'
import type { HookLayer, HookName, HookVerdict } from '../traversal.ts'
import { type Branch, merge, mergeAlike, mergeBranches, same, withStep } from './branch.ts'
import { runChain } from './chain-walk.ts'
import { applyTranslation, confirm, track } from './conntrack.ts'
import type { HookContext, TableContext } from './context.ts'
import { manipOf } from './nat-action.ts'
import { entryOf } from './read.ts'
import type { Control } from './rule-walk.ts'
import { chainStep } from './text.ts'
import { NO_FLAGS, translate } from './translate.ts'

/** Runs everything registered on one hook, in the kernel's order. */

export interface PlacedChain {
  readonly table: Table
  readonly chain: Chain
  readonly base: BaseChain
}

export interface Ended {
  readonly branch: Branch
  readonly verdict: HookVerdict
  readonly detail: string | undefined
}

/** nf_ip_hook_priorities. Nat chains run where the nat hook is, whatever priority they were given themselves. */
const CONNTRACK = -200
const NAT = { dst: -100, src: 100 } as const
const CONFIRM = Number.MAX_SAFE_INTEGER

type Stage =
  | { readonly kind: 'chain'; readonly priority: number; readonly placed: PlacedChain }
  | { readonly kind: 'nat'; readonly priority: number; readonly chains: readonly PlacedChain[] }
  | { readonly kind: 'conntrack' | 'confirm'; readonly priority: number }

/**
 * Stages of a hook by priority. Where two chains have the same one, the kernel puts the chain registered last in front
 * (nf_hook_entries_grow); tables are listed in the order they were made, so later ones come first. `chains` are in that order
 * already. Legacy tables are taken to be the oldest: they are made by the first iptables command at boot, and the only other
 * record of their age, the order of hooks, is not readable.
 */
export function stagesOf(layer: HookLayer, hook: HookName, chains: readonly PlacedChain[], natInUse: boolean): readonly Stage[] {
  const isNat = ({ base }: PlacedChain) => base.type === 'nat' && layer === 'ip'
  const stages: Stage[] = chains
    .filter((placed) => !isNat(placed))
    .map((placed) => ({ kind: 'chain', priority: placed.base.priority, placed }))
  if (layer === 'ip' && hook !== 'forward' && natInUse) {
    stages.unshift({
      kind: 'nat',
      priority: NAT[manipOf(hook)],
      chains: chains.filter(isNat).sort((a, b) => a.base.priority - b.base.priority),
    })
  }
  if (layer === 'ip' && (hook === 'prerouting' || hook === 'output')) stages.unshift({ kind: 'conntrack', priority: CONNTRACK })
  if (layer === 'ip' && (hook === 'input' || hook === 'postrouting')) stages.push({ kind: 'confirm', priority: CONFIRM })
  return stages.sort((a, b) => a.priority - b.priority)
}

export function runHook(start: Branch, stages: readonly Stage[], context: HookContext): readonly Ended[] {
  const ended: Ended[] = []
  let branches: readonly Branch[] = [start]
  for (const stage of stages) {
    branches = joined(
      branches.flatMap((branch) => runStage(branch, stage, context, ended)),
      context,
    )
    if (branches.length === 0) break
  }
  const ends = [...ended, ...branches.map((branch): Ended => ({ branch, verdict: 'accept', detail: undefined }))]
  return context.merging ? mergeEnded(ends) : ends
}

function joined(branches: readonly Branch[], context: HookContext): readonly Branch[] {
  return context.merging ? mergeBranches(branches) : branches
}

/** Branches that go on to the next stage; the others are added to `ended`. */
function runStage(branch: Branch, stage: Stage, context: HookContext, ended: Ended[]): readonly Branch[] {
  switch (stage.kind) {
    case 'conntrack':
      return [track(branch, context)]
    case 'confirm':
      return [confirm(branch)]
    case 'chain':
      return runBaseChain(branch, stage.placed, context, ended)
    case 'nat':
      return runNatHook(branch, stage.chains, context, ended)
  }
}

/** "nat/PREROUTING", "nft inet corp/forward" */
export function placeOf({ table, chain }: Pick<PlacedChain, 'table' | 'chain'>): string {
  return table.backend === 'nft' ? `nft ${table.family} ${table.name}/${chain.name}` : `${table.name}/${chain.name}`
}

function runBaseChain(branch: Branch, placed: PlacedChain, context: HookContext, ended: Ended[]): readonly Branch[] {
  const tableContext: TableContext = { ...context, table: placed.table, place: placeOf(placed) }
  const result = runChain(placed.chain, [branch], tableContext)
  const accepted: Branch[] = []
  for (const { branch: left, control } of result.ended) {
    if (control.kind === 'accept') accepted.push(left)
    else ended.push(endOf(left, control))
  }
  for (const left of result.returned) {
    const isDrop = placed.base.policy === 'drop'
    // Passing an empty chain says nothing; a policy that decides does.
    if (isDrop) ended.push({ branch: policyStep(left, placed, tableContext), verdict: 'drop', detail: undefined })
    else accepted.push(placed.chain.rules.length === 0 ? left : policyStep(left, placed, tableContext))
  }
  return accepted
}

function policyStep(branch: Branch, { chain, base }: PlacedChain, context: TableContext): Branch {
  return withStep(
    branch,
    chainStep(chain, context, 'chain-policy', base.policy, `${chain.name}: no rule decided, policy ${base.policy}`),
  )
}

function endOf(branch: Branch, control: Control): Ended {
  if (control.kind === 'end') return { branch, verdict: control.verdict, detail: control.detail }
  return { branch, verdict: control.kind === 'drop' ? 'drop' : 'accept', detail: undefined }
}

/** nf_nat_inet_fn: chains speak for a new connection once per manip, everything else follows what they said. */
function runNatHook(branch: Branch, chains: readonly PlacedChain[], context: HookContext, ended: Ended[]): readonly Branch[] {
  const connection = entryOf(branch.flight)
  if (!connection) return [branch]
  const manip = manipOf(context.hook)
  const place = `nat/${context.hook.toUpperCase()}`
  if (!needsRules(connection, manip)) return [applyTranslation(branch, connection, manip, place)]
  let open: readonly Branch[] = [branch]
  const done: Branch[] = []
  for (const placed of chains) {
    const after = open.flatMap((each) => runBaseChain(each, placed, context, ended))
    open = joined(
      after.filter((each) => !isDone(each, manip)),
      context,
    )
    done.push(...after.filter((each) => isDone(each, manip)))
  }
  return joined([...done, ...open.map((each) => nullBinding(each, manip, context))], context)
}

function needsRules(connection: Connection, manip: 'src' | 'dst'): boolean {
  if (connection.state !== 'new' && connection.state !== 'related') return false
  return manip === 'dst' ? !connection.dstNatDone : !connection.srcNatDone
}

function isDone(branch: Branch, manip: 'src' | 'dst'): boolean {
  const { connection } = branch.flight
  return connection !== undefined && (manip === 'dst' ? connection.dstNatDone : connection.srcNatDone)
}

/** nf_nat_alloc_null_binding: the connection keeps its ends, except for a source port that is taken already. */
function nullBinding(branch: Branch, manip: 'src' | 'dst', context: HookContext): Branch {
  const connection = entryOf(branch.flight)
  if (!connection) return branch
  const range = { addresses: undefined, ports: undefined, portBase: undefined, flags: NO_FLAGS, netmap: false }
  const [bound] = translate(branch.flight, connection, manip, range, context)
  return bound ? { ...branch, flight: bound.flight } : branch
}

/** Ends that are alike become one. */
function mergeEnded(ends: readonly Ended[]): readonly Ended[] {
  return mergeAlike(
    ends,
    (end) => end.branch,
    sameEnd,
    (a, b) => ({ ...a, branch: merge(a.branch, b.branch) }),
  )
}

function sameEnd(a: Ended, b: Ended): boolean {
  return (
    a.verdict === b.verdict &&
    a.detail === b.detail &&
    same(a.branch.tproxy, b.branch.tproxy) &&
    same(a.branch.flight, b.branch.flight)
  )
}
