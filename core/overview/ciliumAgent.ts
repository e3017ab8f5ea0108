// SPDX-License-Identifier: Apache-2.0

import type { NodeSnapshot } from '../facts/snapshot.ts'

/** Cilium's programs are attached. Nodes that share a kernel see each other's programs, but not what they are attached to. */
export function hasCilium(snapshot: NodeSnapshot): boolean {
  const attached = new Set(
    snapshot
      .shape('bpf/links.json')
      .items()
      .map((link) => link.field('programId').integer(0)),
  )
  const programs = snapshot.shape('bpf/programs.json').items()
  return programs.some(
    (program) => attached.has(program.field('id').integer(0)) && program.field('name').text()?.startsWith('cil_') === true,
  )
}

/** They are, but Cilium's agent is not: its datapath goes on with maps that nobody updates. */
export function ciliumUnattended(snapshot: NodeSnapshot): boolean {
  // Nodes without Cilium have no such agent either.
  return snapshot.shape('bpf/cilium.json').field('running').flag() === false && hasCilium(snapshot)
}
