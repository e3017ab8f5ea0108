// SPDX-License-Identifier: Apache-2.0

import { CILIUM_LAYOUTS } from './cilium.ts'
import type { MapLayout, Versions } from './layout.ts'

export interface MapIdentity {
  /** Pinned name where there is one: the kernel cuts names to 15 characters. */
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
}

/** Names of objects in the kernel, without their end (BPF_OBJ_NAME_LEN). */
const KERNEL_NAME = 15

/**
 * The layout of a map, or undefined when its bytes can't be vouched for: an unknown name, or sizes that no known version has.
 * Releases whose rows are alike in name and sizes are told apart by `versions`; without it the newest is taken.
 */
export function findLayout(map: MapIdentity, versions?: Versions): MapLayout | undefined {
  const fitting = layoutsNamed(map.name).flatMap((layout) => sized(layout, map))
  return (versions === undefined ? undefined : fitting.find((layout) => overlap(layout.versions, versions))) ?? fitting[0]
}

/** True: a map of Cilium's by name, with sizes that none of the known releases has. */
export function isOfUnknownVersion(map: MapIdentity): boolean {
  return findLayout(map) === undefined && layoutsNamed(map.name).length > 0
}

/** The releases that all of a node's maps may be of; undefined when they contradict each other, or tell nothing. */
export function versionsOf(maps: readonly MapIdentity[]): Versions | undefined {
  let [first, last] = [0, Number.POSITIVE_INFINITY]
  for (const map of maps) {
    const fitting = layoutsNamed(map.name).flatMap((layout) => sized(layout, map))
    if (fitting.length === 0) continue
    first = Math.max(first, Math.min(...fitting.map(({ versions }) => versions.first)))
    last = Math.min(last, Math.max(...fitting.map(({ versions }) => versions.last)))
  }
  return first > last || first === 0 ? undefined : { first, last }
}

function layoutsNamed(name: string): readonly MapLayout[] {
  return CILIUM_LAYOUTS.filter((layout) => isNamed(layout, name))
}

function isNamed(layout: MapLayout, name: string): boolean {
  if (layout.prefix === true) return name.startsWith(layout.name) && /^\d+$/.test(name.slice(layout.name.length))
  return name === layout.name || (layout.inner === true && name === layout.name.slice(0, KERNEL_NAME))
}

function sized(layout: MapLayout, map: MapIdentity): readonly MapLayout[] {
  if (layout.keySize !== map.keySize) return []
  if (layout.valueSize === map.valueSize) return [layout]
  const [table] = layout.value
  if (table?.type !== 'u32s' || map.valueSize === 0 || map.valueSize % layout.valueSize !== 0) return []
  return [{ ...layout, valueSize: map.valueSize, value: [{ ...table, size: map.valueSize }] }]
}

function overlap(a: Versions, b: Versions): boolean {
  return a.first <= b.last && b.first <= a.last
}
