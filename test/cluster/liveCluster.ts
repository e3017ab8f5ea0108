// SPDX-License-Identifier: Apache-2.0

/** The lab with agents, and a connection to it, for tests that compare answers with what really happens. */

import assert from 'node:assert/strict'
import { AgentDeployment } from '../../cluster/agentDeployment.ts'
import { readManifests } from '../../cluster/manifests.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { holdLab, MANIFESTS, openSession } from './lab.ts'

export interface LiveCluster {
  readonly kubeconfig: string
  readonly session: ClusterSession
  /** Everything as it is now. */
  facts(): Promise<ClusterFacts>
  /** Leaves agents behind only where there were some. */
  close(): Promise<void>
}

/** Holds the lab in this mode until it is closed. */
export async function openLiveCluster(proxy: string): Promise<LiveCluster> {
  const lab = await holdLab(proxy)
  const session = await openSession(lab.kubeconfig)
  const deployment = new AgentDeployment(session.server, await readManifests(MANIFESTS))
  const found = await deployment.leftovers()
  await deployment.apply()
  await deployment.waitReady()
  return {
    kubeconfig: lab.kubeconfig,
    session,
    facts: async () => {
      const { files, problems } = await session.collect()
      assert.deepEqual(problems, [])
      return loadCluster(files)
    },
    close: async () => {
      if (found.length === 0) await deployment.remove()
      session.close()
      await lab.release()
    },
  }
}
