// SPDX-License-Identifier: Apache-2.0

/**
 * What can go wrong between Plumbline and a cluster. Messages are for people: what happened, where, why, what to do.
 * Code that must decide looks at `code`, never at the message.
 */

import { printable } from '../core/text/printable.ts'

export type ErrorCode =
  | 'kubeconfig'
  | 'unreachable'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'expired'
  | 'api'
  | 'tunnel'
  | 'agent-absent'
  | 'agent-version'
  | 'agent'
  | 'hubble-absent'
  | 'hubble-tls'
  | 'hubble'
  | 'timeout'
  | 'cancelled'

export class PlumblineError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
  }

  static is(error: unknown, code?: ErrorCode): error is PlumblineError {
    return error instanceof PlumblineError && (code === undefined || error.code === code)
  }
}

/** A kubeconfig file that is absent or can't be used. `line` counts from 1. */
export class KubeconfigError extends PlumblineError {
  readonly file: string
  readonly line: number | undefined

  constructor(file: string, line: number | undefined, reason: string, cause?: unknown) {
    super('kubeconfig', `${line === undefined ? file : `${file}:${line}`}: ${reason}`, cause)
    this.file = file
    this.line = line
  }

  static override is(error: unknown): error is KubeconfigError {
    return error instanceof KubeconfigError
  }
}

/** A right the person lacks, as RBAC names it. `resource` may carry a subresource: "pods/exec". */
export interface MissingRight {
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Undefined: at the cluster's scope. */
  readonly namespace: string | undefined
}

/** The API server said no. */
export class ApiError extends PlumblineError {
  /** HTTP status. */
  readonly status: number
  /** Set when `code` is "forbidden". */
  readonly missing: MissingRight | undefined

  constructor(code: ErrorCode, status: number, message: string, missing?: MissingRight) {
    super(code, message)
    this.status = status
    this.missing = missing
  }

  static override is(error: unknown, code?: ErrorCode): error is ApiError {
    return error instanceof ApiError && (code === undefined || error.code === code)
  }
}

export class CancelledError extends PlumblineError {
  constructor(cause?: unknown) {
    super('cancelled', 'Cancelled', cause)
  }

  static override is(error: unknown): error is CancelledError {
    return error instanceof CancelledError
  }
}

/** Throws `CancelledError` once the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError(signal.reason)
}

/** The message of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ')
  if (error instanceof Error) return error.message || error.name
  return String(error)
}

/** A name from the cluster as it may stand in a message: in backticks, control characters and backticks made visible. */
export function quoted(name: string): string {
  return `\`${printable(name).replaceAll('`', "'")}\``
}

export function describeRight(right: MissingRight): string {
  const resource = right.group === '' ? right.resource : `${right.resource}.${right.group}`
  return `\`${right.verb} ${resource}\`${right.namespace === undefined ? '' : ` in ${quoted(right.namespace)}`}`
}
