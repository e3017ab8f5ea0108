// SPDX-License-Identifier: Apache-2.0

import type { NodeSnapshot } from '../facts/snapshot.ts'

const known = new WeakMap<NodeSnapshot, boolean>()

/** Cilium's programs are there, but its agent is not: its datapath goes on with maps that nobody updates. */
export function ciliumUnattended(snapshot: NodeSnapshot): boolean {
  const answer = known.get(snapshot) ?? isUnattended(snapshot)
  known.set(snapshot, answer)
  return answer
}

function isUnattended(snapshot: NodeSnapshot): boolean {
  // Nodes without Cilium have no such agent either.
  if (snapshot.shape('bpf/cilium.json').field('running').flag() !== false) return false
  const programs = snapshot.shape('bpf/programs.json').items()
  return programs.some((program) => program.field('name').text()?.startsWith('cil_') === true)
}
