// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Programs made from Cilium's sources, built by the lab once and found from then on. */
export interface CiliumPrograms {
  readonly hubble: string
  /** lab/cilium/maporacle. */
  readonly mapOracle: string
  /** lab/cilium/flowsoracle. */
  readonly flowsOracle: string
  /** lab/cilium/policyoracle. */
  readonly policyOracle: string
}

export function ciliumPrograms(): CiliumPrograms {
  const built = execFileSync('lab/lab', ['build', '--cilium'], { encoding: 'utf8' }).trim().split('\n')
  const [, , programs = '', mapOracle = '', flowsOracle = '', policyOracle = ''] = built
  return { hubble: join(programs, 'hubble'), mapOracle, flowsOracle, policyOracle }
}
