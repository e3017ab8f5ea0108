// SPDX-License-Identifier: Apache-2.0

/**
 * A command in a container, as a byte stream: what is written becomes the command's stdin, what is read is its stdout.
 *
 * Speaks the v5.channel.k8s.io sub-protocol over a WebSocket (KEP-4006), where 255 half closes a channel.
 */

import { printable } from '../core/text/printable.ts'
import type { ApiServer } from './apiServer.ts'
import { PlumblineError, quoted } from './errors.ts'
import { type PodRequest, PodSocket, type PodSocketOptions } from './podSocket.ts'

export interface ExecTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
}

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const STATUS = 3
const CLOSE = 255
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const MAX_STDERR = 4096

/** The command ended with a failure, or couldn't be started (then there is no exit code). */
export class CommandError extends PlumblineError {
  readonly exitCode: number | undefined

  constructor(exitCode: number | undefined, message: string) {
    super('tunnel', message)
    this.exitCode = exitCode
  }
}

export class PodStream extends PodSocket {
  readonly #find: () => ExecTarget | Promise<ExecTarget>
  #command = ''
  #stderr = ''

  /** A function is asked when the stream connects: a pod may have been replaced since the last time. */
  constructor(
    server: ApiServer,
    target: ExecTarget | (() => ExecTarget | Promise<ExecTarget>),
    options: Partial<PodSocketOptions> = {},
  ) {
    super(server, STDIN, options)
    this.#find = typeof target === 'function' ? target : () => target
  }

  protected override async request(): Promise<PodRequest> {
    const { namespace, pod, container, command } = await this.#find()
    this.#command = command.join(' ')
    const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', stderr: 'true', tty: 'false' })
    for (const word of command) query.append('command', word)
    return { namespace, pod, subresource: 'exec', query, protocols: PROTOCOLS, action: 'exec into' }
  }

  override _final(done: (error?: Error | null) => void): void {
    // Before v5 there is no half close: the command then ends with the connection.
    if (this.protocol === PROTOCOLS[0]) this.send(Buffer.of(CLOSE, STDIN), done)
    else done()
  }

  protected override receive(channel: number, payload: Buffer): void {
    switch (channel) {
      case STDOUT:
        this.deliver(payload)
        break
      case STDERR:
        this.#stderr = (this.#stderr + payload.toString()).slice(-MAX_STDERR)
        break
      case STATUS:
        this.#exited(payload.toString())
        break
      case CLOSE:
        if (payload[0] === STDOUT) this.finishReading()
        break
    }
  }

  #exited(text: string): void {
    const status = parseStatus(text)
    if (status.status === 'Success') {
      this.finishReading()
      return
    }
    const said = [status.message ?? 'the command failed', printable(this.#stderr.trim())].filter((part) => part !== '').join(': ')
    this.destroy(new CommandError(status.exitCode, `${quoted(this.#command)} in ${this.podName} ended: ${said}`))
  }
}

interface ExitStatus {
  readonly status?: string
  readonly message?: string
  readonly exitCode?: number
}

function parseStatus(text: string): ExitStatus {
  try {
    const { status, message, details } = JSON.parse(text) as ExitStatus & {
      details?: { causes?: readonly { reason?: string; message?: string }[] }
    }
    const exitCode = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
    return {
      ...(status !== undefined && { status }),
      ...(message !== undefined && { message: printable(message) }),
      ...(exitCode !== undefined && { exitCode: Number(exitCode) }),
    }
  } catch {
    return { message: printable(text.slice(0, 300)) }
  }
}
