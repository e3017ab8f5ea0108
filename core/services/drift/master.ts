// SPDX-License-Identifier: Apache-2.0

import { FLAG } from '../../ebpf/cilium/balance.ts'
import { formatEndpoint, sameAddress } from '../../net/address.ts'
import type { ExpectedFrontend } from './expected.ts'
import { frontendName } from './phrases.ts'
import type { ProgrammedFrontend, ProgrammedServices } from './programmed.ts'
import type { DriftFinding, DriftKind, DriftSeverity } from './report.ts'

/** What each flag of a master entry means for who connects: with it, without it. */
const MEANINGS: readonly {
  readonly flag: number
  readonly set: string
  readonly unset: string
  /** When it is not set and should be. */
  readonly severity: DriftSeverity
}[] = [
  {
    flag: FLAG.affinity,
    set: 'keeps clients with their backend',
    unset: 'lets clients change their backend',
    severity: 'warning',
  },
  {
    flag: FLAG.internalLocal,
    set: 'keeps traffic from inside on the node',
    unset: 'lets traffic from inside leave the node',
    severity: 'warning',
  },
  {
    flag: FLAG.externalLocal,
    set: 'keeps traffic from outside on the node',
    unset: 'lets traffic from outside leave the node',
    severity: 'warning',
  },
  { flag: FLAG.twoScopes, set: 'tells inside from outside', unset: 'does not tell inside from outside', severity: 'warning' },
  { flag: FLAG.nodePort, set: 'is a node port', unset: 'is not a node port', severity: 'warning' },
  { flag: FLAG.externalIp, set: 'is an external IP', unset: 'is not an external IP', severity: 'warning' },
  { flag: FLAG.loadBalancer, set: 'is a load balancer', unset: 'is not a load balancer', severity: 'warning' },
  { flag: FLAG.hostPort, set: 'is a host port', unset: 'is not a host port', severity: 'warning' },
  { flag: FLAG.sourceRange, set: 'checks the source', unset: 'lets every source in', severity: 'error' },
]
/** The master's backend field: seconds of session affinity, below the algorithm's number. */
const TIMEOUT_MASK = 0xff_ffff

/** A frontend's own entry: its flags, session affinity, source ranges and way back. */
export function compareMaster(
  frontend: ExpectedFrontend,
  found: ProgrammedFrontend,
  programmed: ProgrammedServices,
): readonly DriftFinding[] {
  const about = new About(frontend, found)
  return [...flags(about), ...affinity(about, programmed), ...sourceRanges(about, programmed), ...reverseNat(about, programmed)]
}

class About {
  readonly frontend: ExpectedFrontend
  readonly found: ProgrammedFrontend

  constructor(frontend: ExpectedFrontend, found: ProgrammedFrontend) {
    this.frontend = frontend
    this.found = found
  }

  get flags(): number {
    return this.found.master.value('flags')
  }

  finding(
    kind: DriftKind,
    severity: DriftSeverity,
    says: string,
    expected: string | null,
    programmed: string | null,
  ): DriftFinding {
    const { subject, evidence } = this.frontend
    const text = `${frontendName(this.frontend)} ${says}`
    return { kind, severity, subject, text, expected, programmed, evidence: [evidence, this.found.master.evidence] }
  }
}

function flags(about: About): readonly DriftFinding[] {
  const { set, unset } = about.frontend
  return MEANINGS.flatMap(({ flag, set: withIt, unset: without, severity }) => {
    const has = (about.flags & flag) !== 0
    if (!has && (set & flag) !== 0) {
      return [about.finding('frontend-different', severity, `${without}, and the object asks for the contrary`, withIt, without)]
    }
    if (!has || (unset & flag) === 0) return []
    return [about.finding('frontend-different', 'warning', `${withIt}, and the object does not ask for it`, without, withIt)]
  })
}

function affinity(about: About, programmed: ProgrammedServices): readonly DriftFinding[] {
  const { frontend, found } = about
  const wanted = frontend.affinityTimeout
  if (wanted === undefined || (about.flags & FLAG.affinity) === 0) return []
  const timeout = found.master.value('backend') & TIMEOUT_MASK
  const wrong =
    timeout === wanted
      ? []
      : [
          about.finding(
            'frontend-different',
            'warning',
            `keeps clients with their backend for ${timeout} s instead of ${wanted} s`,
            `${wanted} s`,
            `${timeout} s`,
          ),
        ]
  const revNat = found.master.value('revNat')
  const unmatched = found.slots.flatMap(({ entry, backend }) => {
    const id = entry?.value('backend')
    if (id === undefined || backend === undefined || backend.value('state') !== 0 || programmed.hasMatch(revNat, id)) return []
    const name = formatEndpoint(backend.valueAddress('address'), backend.value('port'))
    return [
      about.finding(
        'affinity-match',
        'warning',
        `does not keep clients with ${name}: cilium_lb_affinity_match has no entry for backend ${id}`,
        name,
        null,
      ),
    ]
  })
  return [...wrong, ...unmatched]
}

function sourceRanges(about: About, programmed: ProgrammedServices): readonly DriftFinding[] {
  const { frontend, found } = about
  if ((about.flags & FLAG.sourceRange) === 0 || frontend.sourceRanges.length === 0) return []
  const there = programmed.sourceRanges(found.master.value('revNat'))
  const map = `cilium_lb${programmed.family}_source_range`
  const lacking = frontend.sourceRanges
    .filter((range) => !there.has(range))
    .map((range) =>
      about.finding('source-range-missing', 'error', `refuses clients of ${range}, which ${map} does not have`, range, null),
    )
  const extra = [...there]
    .filter(([range]) => !frontend.sourceRanges.includes(range))
    .map(([range, entry]) => {
      const finding = about.finding(
        'source-range-extra',
        'error',
        `lets in clients of ${range}, for which the object does not ask`,
        null,
        range,
      )
      return { ...finding, evidence: [...finding.evidence, entry.evidence] }
    })
  return [...lacking, ...extra]
}

/** Answers get the frontend's address back by an index of its own. */
function reverseNat(about: About, programmed: ProgrammedServices): readonly DriftFinding[] {
  const { frontend, found } = about
  const index = found.master.value('revNat')
  if (index === 0 || frontend.backends.length === 0) return []
  const entry = programmed.reverseNat(index)
  const name = formatEndpoint(frontend.address, frontend.port)
  const map = `cilium_lb${programmed.family}_reverse_nat`
  if (entry === undefined) {
    return [about.finding('reverse-nat', 'error', `gets no answers back: ${map} does not have its index ${index}`, name, null)]
  }
  const address = entry.valueAddress('address')
  if (sameAddress(address, frontend.address) && entry.value('port') === frontend.port) return []
  const other = formatEndpoint(address, entry.value('port'))
  const finding = about.finding(
    'reverse-nat',
    'error',
    `has answers come from ${other}: that is what ${map} has for its index ${index}`,
    name,
    other,
  )
  return [{ ...finding, evidence: [...finding.evidence, entry.evidence] }]
}
