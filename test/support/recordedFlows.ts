// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Flow } from '../../core/flows/flow.ts'
import { readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'

const RAW = join(import.meta.dirname, '../fixtures/raw')

/** What Hubble saw of a recorded cluster, as it printed it. */
export function recordedFlows(name: string): readonly Flow[] {
  const folder = join(RAW, name, 'hubble')
  return readdirSync(folder)
    .flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n'))
    .flatMap((line) => {
      const event = readHubbleLine(line)
      return event.kind === 'flow' ? [event.flow] : []
    })
}
