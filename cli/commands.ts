// SPDX-License-Identifier: Apache-2.0

import type { Command } from './command.ts'
import { agentCommand } from './commands/agent.ts'
import { driftCommand } from './commands/drift.ts'
import { flowsCommand } from './commands/flows.ts'
import { mapsCommand } from './commands/maps.ts'
import { snapshotCommand } from './commands/snapshot.ts'
import { traceCommand } from './commands/trace.ts'
import { versionCommand } from './commands/version.ts'

/** Every command there is, in the order help lists them. */
export const COMMANDS: readonly Command[] = [
  traceCommand,
  mapsCommand,
  flowsCommand,
  driftCommand,
  snapshotCommand,
  agentCommand,
  versionCommand,
]
