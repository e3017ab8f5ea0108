// SPDX-License-Identifier: Apache-2.0

import { and, literal } from '../../elements.ts'
import type { Action, AssignTarget, Expression } from '../../statement.ts'
import { type Extension, find, first, type GivenOption, invalid, maskedNumber, number, parseNumber } from '../extension.ts'
import { dscpExpression } from '../matches/packet.ts'
import { DSCP_CLASSES } from '../names.ts'

/** Targets that write marks and header fields. */

const META_MARK: AssignTarget & Expression = { kind: 'meta', key: 'mark' }
const CT_MARK: AssignTarget & Expression = { kind: 'ct', key: 'mark' }

const MARK_OPTIONS = { '--set-mark': 1, '--set-xmark': 1, '--and-mark': 1, '--or-mark': 1, '--xor-mark': 1 }

/** `(old & ~mask) ^ value`, as xt_mark and xt_connmark compute it. */
function xmark(old: Expression, value: number, mask: number): Expression {
  if (mask === 0xffffffff) return literal(value)
  return { kind: 'binary', op: '^', left: and(old, ~mask >>> 0), right: literal(value) }
}

function setMark(target: AssignTarget & Expression, option: GivenOption): Action {
  const given = maskedNumber(option)
  const value = ((): Expression => {
    switch (option.name) {
      case '--set-mark':
        return xmark(target, given.value, (given.value | given.mask) >>> 0)
      case '--and-mark':
        return xmark(target, 0, ~given.value >>> 0)
      case '--or-mark':
        return xmark(target, given.value, given.value)
      case '--xor-mark':
        return xmark(target, given.value, 0)
      default:
        return xmark(target, given.value, given.mask)
    }
  })()
  return { kind: 'assign', target, value }
}

export const mark: Extension = {
  options: MARK_OPTIONS,
  build: (options) => options.map((option) => setMark(META_MARK, option)),
}

export const connmark: Extension = {
  options: { ...MARK_OPTIONS, '--save-mark': 0, '--restore-mark': 0, '--nfmask': 1, '--ctmask': 1, '--mask': 1 },
  build: (options) => {
    const both = find(options, '--mask')
    const nfmask = maskOption(find(options, '--nfmask') ?? both)
    const ctmask = maskOption(find(options, '--ctmask') ?? both)
    return options.flatMap((option): Action[] => {
      if (option.name === '--save-mark') return [move(CT_MARK, ctmask, META_MARK, nfmask)]
      if (option.name === '--restore-mark') return [move(META_MARK, nfmask, CT_MARK, ctmask)]
      return option.name in MARK_OPTIONS ? [setMark(CT_MARK, option)] : []
    })
  },
}

function maskOption(option: GivenOption | undefined): number {
  return option ? number(option) : 0xffffffff
}

/** `(target & ~targetMask) ^ (source & sourceMask)` */
function move(target: AssignTarget & Expression, targetMask: number, source: Expression, sourceMask: number): Action {
  const moved = sourceMask === 0xffffffff ? source : and(source, sourceMask)
  if (targetMask === 0xffffffff) return { kind: 'assign', target, value: moved }
  return { kind: 'assign', target, value: { kind: 'binary', op: '^', left: and(target, ~targetMask >>> 0), right: moved } }
}

export const dscp: Extension = {
  options: { '--set-dscp': 1, '--set-dscp-class': 1 },
  build: (options, { family }) =>
    options.map((option) => {
      const code =
        option.name === '--set-dscp' ? number(option, first(option), 63) : DSCP_CLASSES.get(first(option).toLowerCase())
      if (code === undefined) throw invalid(option)
      return { kind: 'assign', target: dscpExpression(family) as AssignTarget, value: literal(code) }
    }),
}

/** `--ttl-set N`; steps up and down are noted only, because the packet's own TTL is rarely known. */
function hops(prefix: 'ttl' | 'hl', target: AssignTarget): Extension {
  return {
    options: { [`--${prefix}-set`]: 1, [`--${prefix}-dec`]: 1, [`--${prefix}-inc`]: 1 },
    build: (options, context) =>
      options.map(
        (option): Action =>
          option.name === `--${prefix}-set`
            ? { kind: 'assign', target, value: literal(number(option, first(option), 255)) }
            : { kind: 'side-effect', name: context.name, text: context.text },
      ),
  }
}

export const ttl = hops('ttl', { kind: 'payload', protocol: 'ip', field: 'ttl' })
export const hl = hops('hl', { kind: 'payload', protocol: 'ip6', field: 'hoplimit' })

export const classify: Extension = {
  options: { '--set-class': 1 },
  build: (options) =>
    options.map((option) => {
      const [major = '', minor = ''] = first(option).split(':')
      const high = parseNumber(`0x${major || '0'}`)
      const low = parseNumber(`0x${minor || '0'}`)
      if (high === undefined || low === undefined || high > 0xffff || low > 0xffff) throw invalid(option)
      return { kind: 'assign', target: { kind: 'meta', key: 'priority' }, value: literal(high * 65536 + low) }
    }),
}
