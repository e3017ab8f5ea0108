// SPDX-License-Identifier: Apache-2.0

import type { Dictionary } from './dictionary.ts'
import type { EventType, FileInfo, Flow } from '../flow.ts'
import { classKey, classOf, type FlowClass, flagBits, protocolOf } from './flowClass.ts'

/**
 * Numbers of flows' classes. Most flows are of a class that was met lately: comparing with that one takes a tenth of the time that
 * spelling the class out takes.
 */
export class ClassCache {
  readonly #classes: Dictionary<FlowClass>
  readonly #lately: (Met | undefined)[] = new Array(SLOTS).fill(undefined)
  #generation = 0

  constructor(classes: Dictionary<FlowClass>) {
    this.#classes = classes
  }

  number(flow: Flow, packedUuid: boolean): number {
    if (this.#generation !== this.#classes.generation) this.#lately.fill(undefined)
    this.#generation = this.#classes.generation
    const slot = slotOf(flow)
    const met = this.#lately[slot]
    if (met !== undefined && isOf(met.class, flow, packedUuid)) return met.number
    const number = this.#classes.numberOf(classKey(flow, packedUuid), () => classOf(flow, packedUuid))
    this.#lately[slot] = { number, class: this.#classes.get(number) ?? classOf(flow, packedUuid) }
    return number
  }
}

interface Met {
  readonly number: number
  readonly class: FlowClass
}

const SLOTS = 1024

/** Of what tells most classes apart and is fast to add up. */
function slotOf({ l4, eventType, isReply, dropReason, traceReason, trafficDirection, verdict, proxyPort }: Flow): number {
  const flags = l4?.tcp?.flags
  const sum =
    (flags ? flagBits(flags) : 511) +
    (eventType === null ? 0 : eventType.type * 77 + eventType.subType * 31) +
    (isReply === null ? 0 : isReply ? 513 : 257) +
    dropReason * 7 +
    traceReason.length * 97 +
    trafficDirection.length * 61 +
    verdict.length * 131 +
    proxyPort
  return (sum >>> 0) % SLOTS
}

function isOf(kind: FlowClass, flow: Flow, packedUuid: boolean): boolean {
  const { l4, ip } = flow
  const flags = l4?.tcp?.flags ?? null
  return (
    kind.packedUuid === packedUuid &&
    kind.timed === (flow.time !== null) &&
    kind.verdict === flow.verdict &&
    kind.dropReason === flow.dropReason &&
    kind.dropReasonDesc === flow.dropReasonDesc &&
    kind.authType === flow.authType &&
    kind.type === flow.type &&
    kind.reply === flow.reply &&
    kind.isReply === flow.isReply &&
    sameEvent(kind.eventType, flow.eventType) &&
    kind.trafficDirection === flow.trafficDirection &&
    kind.policyMatchType === flow.policyMatchType &&
    kind.traceObservationPoint === flow.traceObservationPoint &&
    kind.traceReason === flow.traceReason &&
    sameFile(kind.file, flow.file) &&
    kind.debugCapturePoint === flow.debugCapturePoint &&
    kind.proxyPort === flow.proxyPort &&
    kind.sockXlatePoint === flow.sockXlatePoint &&
    (kind.ip === null ? ip === null : kind.ip.ipVersion === ip?.ipVersion && kind.ip.encrypted === ip.encrypted) &&
    kind.protocol === protocolOf(l4) &&
    (kind.tcpFlags === null ? flags === null : flags !== null && flagBits(kind.tcpFlags) === flagBits(flags)) &&
    // ICMP and the like are few, and their messages are shared by who reads the wire form.
    kind.icmp === (l4 === null ? null : (l4.icmpv4 ?? l4.icmpv6 ?? l4.vrrp ?? l4.igmp))
  )
}

function sameEvent(a: EventType | null, b: EventType | null): boolean {
  return a === b || (a !== null && b !== null && a.type === b.type && a.subType === b.subType)
}

function sameFile(a: FileInfo | null, b: FileInfo | null): boolean {
  return a === b || (a !== null && b !== null && a.line === b.line && a.name === b.name)
}
