// SPDX-License-Identifier: Apache-2.0

import { CILIUM_LAYOUTS } from './cilium.ts'
import type { MapLayout } from './layout.ts'

export interface MapIdentity {
  /** Pinned name where there is one: the kernel cuts names to 15 characters. */
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
}

/**
 * The layout of a map, or undefined when its bytes can't be vouched for: an unknown name, or sizes that no known version has.
 */
export function findLayout(map: MapIdentity, layouts: readonly MapLayout[] = CILIUM_LAYOUTS): MapLayout | undefined {
  return layouts.find(
    (layout) =>
      layout.keySize === map.keySize &&
      layout.valueSize === map.valueSize &&
      (layout.prefix ? map.name.startsWith(layout.name) && map.name.length > layout.name.length : map.name === layout.name),
  )
}
