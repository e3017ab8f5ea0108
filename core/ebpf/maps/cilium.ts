// SPDX-License-Identifier: Apache-2.0

import { CONNECTION_LAYOUTS } from './cilium/connections.ts'
import { IDENTITY_LAYOUTS } from './cilium/identities.ts'
import { OTHER_LAYOUTS } from './cilium/others.ts'
import { POLICY_LAYOUTS } from './cilium/policies.ts'
import { SERVICE_LAYOUTS } from './cilium/services.ts'
import type { MapLayout } from './layout.ts'

/**
 * Layouts of Cilium's maps, 1.16 to 1.20, judged by the structs in Cilium's own headers (bpf/lib/*.h) of each release and by its Go
 * types. Where releases differ, the map's name or its sizes mostly differ too; of rows that are alike in both, the newest is first.
 */
export const CILIUM_LAYOUTS: readonly MapLayout[] = [
  ...SERVICE_LAYOUTS,
  ...CONNECTION_LAYOUTS,
  ...IDENTITY_LAYOUTS,
  ...POLICY_LAYOUTS,
  ...OTHER_LAYOUTS,
]
