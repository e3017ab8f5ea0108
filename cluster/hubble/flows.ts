// SPDX-License-Identifier: Apache-2.0

import type { ClusterSession } from '../session.ts'
import { PlumblineError } from '../errors.ts'
import type { FlowStream, FlowsOptions } from './flowsEvent.ts'

/** Finds a Hubble and asks it for flows. Without a session only an address can be asked. */
export async function openFlows(_session: ClusterSession | undefined, _options: FlowsOptions): Promise<FlowStream> {
  throw new PlumblineError('hubble-absent', 'No way to a Hubble is built yet')
}
