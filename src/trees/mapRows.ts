// SPDX-License-Identifier: Apache-2.0

/** How maps look. */

import * as vscode from 'vscode'
import type { MapGroup } from '../../core/ebpf/maps/layout.ts'
import type { Fill, MapOverview } from '../../core/overview/maps.ts'
import { printable } from '../../core/text/printable.ts'
import { whyUnreadable } from '../maps/readers.ts'
import { commandOf } from '../typed.ts'
import type { ClusterItem } from './clusterItem.ts'
import { markdown, row } from './row.ts'

const { None, Collapsed } = vscode.TreeItemCollapsibleState

type Item<K extends ClusterItem['kind']> = Extract<ClusterItem, { kind: K }>

const GROUPS: Readonly<Record<MapGroup, readonly [title: string, icon: string]>> = {
  services: ['Services', 'symbol-interface'],
  identities: ['Identities and endpoints', 'account'],
  policy: ['Policy', 'shield'],
  connections: ['Connections', 'arrow-swap'],
  nat: ['NAT', 'replace'],
  other: ['Other', 'database'],
}

export function mapGroupRow({ group, maps }: Item<'mapGroup'>): vscode.TreeItem {
  const [title, icon] = GROUPS[group]
  const made = row(vscode.l10n.t(title), icon, Collapsed, 'plumbline.group+maps')
  const high = maps.filter(({ fill }) => fill?.high === true).length
  made.description = [String(maps.length), ...(high === 0 ? [] : [vscode.l10n.t('⚠ {0} nearly full', high)])].join(' · ')
  return made
}

export function mapRow(item: Item<'map'>): vscode.TreeItem {
  const { source, node, overview } = item
  const { map, fill, endpoint, programs } = overview
  const unreadable = whyUnreadable(source, node, map)
  const flags = [...(source.kind === 'context' ? ['live'] : []), ...(unreadable === undefined ? [] : ['unreadable'])]
  const made = row(
    map.name === '' ? vscode.l10n.t('map {0}', map.id) : map.name,
    'table',
    None,
    ['plumbline.map', ...flags].join('+'),
  )
  if (fill?.high === true) made.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
  made.description = printable(
    [
      ...(endpoint === undefined ? [] : [endpoint]),
      ...(fill === undefined ? [sizeText(overview)] : [fillText(fill)]),
      ...(map.unknownVersion ? [vscode.l10n.t('unknown layout')] : []),
    ]
      .filter((part) => part !== '')
      .join(' · '),
  )
  made.tooltip = tooltip(overview, programs, unreadable)
  made.command = commandOf('plumbline.map.open', vscode.l10n.t('Open Map'), item)
  return made
}

function sizeText({ map: { maxEntries, type, contents } }: MapOverview): string {
  if (contents !== undefined && maxEntries > 0) return vscode.l10n.t('{0} entries', contents.count.toLocaleString())
  return maxEntries === 0 ? type : vscode.l10n.t('{0}, room for {1}', type, maxEntries.toLocaleString())
}

function fillText({ count, atLeast, capacity, share, high }: Fill): string {
  const percent = 100 * share
  const figure = count === 0 ? '0' : percent < 1 ? percent.toFixed(1) : percent.toFixed(0)
  const text = vscode.l10n.t('{0} % of {1}', `${atLeast ? '≥ ' : ''}${figure}`, capacity.toLocaleString())
  return high ? vscode.l10n.t('⚠ nearly full: {0}', text) : text
}

function tooltip({ map, fill, endpoint }: MapOverview, programs: readonly string[], unreadable: string | undefined) {
  const { layout, unknownVersion, memoryBytes } = map
  return markdown([
    [vscode.l10n.t('Map'), `${map.name} (id ${map.id})`],
    [vscode.l10n.t('Holds'), map.title],
    [vscode.l10n.t('Belongs to'), endpoint],
    [vscode.l10n.t('Type'), map.type],
    [vscode.l10n.t('Sizes'), vscode.l10n.t('key {0} B, value {1} B', map.keySize, map.valueSize)],
    [vscode.l10n.t('Entries'), fill && vscode.l10n.t('{0} of {1}', fill.count.toLocaleString(), fill.capacity.toLocaleString())],
    [vscode.l10n.t('Memory'), memoryBytes === undefined ? undefined : `${Math.ceil(memoryBytes / 1024).toLocaleString()} KiB`],
    [vscode.l10n.t('Pinned at'), map.path],
    [vscode.l10n.t('Programs'), programs.join(', ')],
    [
      vscode.l10n.t('Layout'),
      layout === undefined
        ? unknownVersion
          ? vscode.l10n.t("unknown layout of one of Cilium's maps: raw bytes")
          : vscode.l10n.t("unknown layout: the map's own types where it has any, else raw bytes")
        : layout.title,
    ],
    [vscode.l10n.t('Contents'), unreadable && vscode.l10n.t("can't be read: {0}", unreadable)],
  ])
}
