// SPDX-License-Identifier: Apache-2.0

/**
 * A TCP port of a pod, as a byte stream, by `pods/portforward`.
 *
 * Speaks v4.channel.k8s.io over a WebSocket: each port has a data and an error channel, and the first message on either
 * holds only the port's number, little endian (kubelet, pkg/kubelet's streaming portforward/websocket.go). A connection can
 * only be closed as a whole: this protocol has no half close.
 */

import { printable } from '../core/text/printable.ts'
import type { ApiServer } from './apiServer.ts'
import { PlumblineError } from './errors.ts'
import { type PodRequest, PodSocket, type PodSocketOptions } from './podSocket.ts'

export interface PortTarget {
  readonly namespace: string
  readonly pod: string
  readonly port: number
}

const DATA = 0
const ERROR = 1
const PORT_BYTES = 2
const PROTOCOLS = ['v4.channel.k8s.io']

export class PodPort extends PodSocket {
  readonly #find: () => Promise<PortTarget>
  readonly #announced = new Set<number>()
  #port = 0

  /** `find` is asked when the stream connects: a pod may have been replaced since the last time. */
  constructor(server: ApiServer, find: () => Promise<PortTarget>, options: Partial<PodSocketOptions> = {}) {
    super(server, DATA, options)
    this.#find = find
  }

  protected override async request(): Promise<PodRequest> {
    const { namespace, pod, port } = await this.#find()
    this.#port = port
    const query = new URLSearchParams({ ports: String(port) })
    return { namespace, pod, subresource: 'portforward', query, protocols: PROTOCOLS, action: 'forward a port of' }
  }

  protected override receive(channel: number, payload: Buffer): void {
    const content = this.#announced.has(channel) ? payload : payload.subarray(PORT_BYTES)
    this.#announced.add(channel)
    if (channel === DATA) this.deliver(content)
    else if (channel === ERROR && content.length > 0) this.#refused(content.toString())
  }

  /** The node's words are long: "error forwarding port 4245 to pod …: failed to connect to localhost:4245 …: connection refused". */
  #refused(said: string): void {
    this.destroy(
      new PlumblineError(
        'tunnel',
        `Port ${this.#port} of ${this.podName} can't be reached: ${printable(said.trim().slice(0, 500))}`,
      ),
    )
  }
}
