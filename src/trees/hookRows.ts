// SPDX-License-Identifier: Apache-2.0

/** How interfaces, hooks and programs look. */

import * as vscode from 'vscode'
import type { HookPlace, HookProgram } from '../../core/overview/hooks.ts'
import { printable } from '../../core/text/printable.ts'
import { commandOf } from '../typed.ts'
import type { ClusterItem } from './clusterItem.ts'
import { markdown, row } from './row.ts'

const { None, Collapsed } = vscode.TreeItemCollapsibleState

type Item<K extends ClusterItem['kind']> = Extract<ClusterItem, { kind: K }>

const ICONS: Readonly<Record<HookPlace['kind'], string>> = {
  interface: 'arrow-both',
  cgroup: 'group-by-ref-type',
  namespace: 'symbol-namespace',
  kernel: 'chip',
}

export function hookPlaceRow({ place }: Item<'hookPlace'>): vscode.TreeItem {
  const { kind, name, pod, device, points } = place
  const programs = points.reduce((sum, point) => sum + point.programs.length, 0)
  const made = row(
    kind === 'kernel' ? vscode.l10n.t('In the kernel at large') : name,
    device?.kind === 'physical' ? 'plug' : ICONS[kind],
    points.length === 0 ? None : Collapsed,
    `plumbline.hookPlace+${kind}`,
  )
  made.description = printable(
    [
      ...(pod === undefined ? [] : [`${pod.namespace}/${pod.name}`]),
      ...(kind === 'cgroup' ? [vscode.l10n.t('control group')] : []),
      ...(kind === 'namespace' ? [vscode.l10n.t('network namespace')] : []),
      ...(device === undefined ? [] : [deviceText(device)]),
      ...(programs === 0 ? [] : [programs === 1 ? vscode.l10n.t('1 program') : vscode.l10n.t('{0} programs', programs)]),
    ]
      .filter((part) => part !== '')
      .join(' · '),
  )
  made.tooltip = markdown([
    [vscode.l10n.t('Interface'), device && name],
    [vscode.l10n.t('Control group'), kind === 'cgroup' ? name : undefined],
    [vscode.l10n.t('Pod'), pod && `${pod.namespace}/${pod.name}`],
    [vscode.l10n.t('Kind'), device?.kind],
    [vscode.l10n.t('Index'), device && String(device.ifindex)],
    [vscode.l10n.t('Network namespace'), device?.netns],
    [vscode.l10n.t('Addresses'), device?.addresses.join(', ')],
  ])
  return made
}

function deviceText({ kind, up, addresses, netns }: NonNullable<HookPlace['device']>): string {
  const shown = addresses.filter((address) => !address.startsWith('fe80:')).slice(0, 2)
  return [
    ...(netns === 'host' ? [] : [vscode.l10n.t('in {0}', netns)]),
    ...(kind === 'veth' || kind === '' ? [] : [kind]),
    ...shown,
    ...(up ? [] : [vscode.l10n.t('down')]),
  ].join(' · ')
}

export function hookPointRow({ point }: Item<'hookPoint'>): vscode.TreeItem {
  const made = row(hookTitle(point.attach), 'symbol-event', Collapsed, 'plumbline.hookPoint')
  made.description = printable(point.programs.map(({ name }) => name).join(' → '))
  made.tooltip = markdown([
    [vscode.l10n.t('Hook'), point.attach],
    [vscode.l10n.t('Programs, in order of execution'), point.programs.map(({ name }) => name).join(' → ')],
  ])
  return made
}

export function programRow({ source, program, order, of, maps }: Item<'program'>): vscode.TreeItem {
  const { owner, runs } = program
  const made = row(program.name, owner.name === 'unknown' ? 'question' : 'circuit-board', None, 'plumbline.program')
  made.description = printable(
    [
      ...(of > 1 ? [vscode.l10n.t('{0} of {1}', order, of)] : []),
      owner.name === 'unknown' ? vscode.l10n.t('unknown owner') : owner.name,
      ...(runs === undefined ? [] : [runText(runs)]),
    ].join(' · '),
  )
  made.tooltip = markdown([
    [vscode.l10n.t('Program'), `${program.name} (id ${program.id})`],
    [vscode.l10n.t('Owner'), vscode.l10n.t('{0}, because {1}', owner.name, owner.because)],
    [vscode.l10n.t('Type'), program.type],
    [vscode.l10n.t('Tag'), program.tag],
    [vscode.l10n.t('Loaded'), program.loadedAt],
    [vscode.l10n.t('Runs'), runs === undefined ? vscode.l10n.t('not counted (kernel.bpf_stats_enabled is off)') : runText(runs)],
    [
      vscode.l10n.t('Attached by'),
      program.linkId === undefined ? vscode.l10n.t('no link') : vscode.l10n.t('link {0}', program.linkId),
    ],
    [vscode.l10n.t('Target'), program.target],
    [vscode.l10n.t('Pins'), program.pins.join(', ')],
    [vscode.l10n.t('Maps'), maps.join(', ')],
  ])
  const evidence = { kind: 'fact', ...program.evidence, text: program.name } as const
  made.command = commandOf('plumbline.evidence.open', vscode.l10n.t('Open Evidence'), source.id, evidence)
  return made
}

function runText({ count, nanoseconds }: NonNullable<HookProgram['runs']>): string {
  const each = count === 0 ? 0 : nanoseconds / count
  return vscode.l10n.t('{0} runs, {1} ns each', count.toLocaleString(), Math.round(each).toLocaleString())
}

const TITLES: Readonly<Record<string, string>> = {
  xdp: 'XDP',
  xdp_driver: 'XDP (driver)',
  xdp_generic: 'XDP (generic)',
  xdp_offload: 'XDP (offloaded)',
  tcx_ingress: 'tcx ingress',
  tcx_egress: 'tcx egress',
  tc_ingress: 'tc ingress (clsact)',
  tc_egress: 'tc egress (clsact)',
  netkit_primary: 'netkit primary',
  netkit_peer: 'netkit peer',
  tp_btf: 'tracepoint (BTF)',
  raw_tp: 'raw tracepoint',
}

function hookTitle(attach: string): string {
  return TITLES[attach] ?? attach.replace(/^cgroup_/, '').replaceAll('_', ' ')
}
