// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import { type WebSocket, WebSocketServer } from 'ws'
import { ApiServer } from '../../cluster/apiServer.ts'

/** The server's end of an API server's WebSockets: a test says what it does with one, or with what it refuses them. */
export class WebSocketApi {
  behave: (socket: WebSocket, request: IncomingMessage) => void = () => {}
  refusal: { readonly status: number; readonly body: string } | undefined
  readonly #http = createServer()
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false })

  /** Listens on loopback, and is what the client that comes back talks to. */
  async open(): Promise<ApiServer> {
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.refusal === undefined) {
        this.#sockets.handleUpgrade(request, socket, head, (accepted) => this.behave(accepted, request))
      } else {
        const { status, body } = this.refusal
        socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      }
    })
    this.#http.listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
    const server = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
    const config = new KubeConfig()
    config.loadFromClusterAndUser({ name: 'c', server, skipTLSVerify: true }, { name: 'u', token: 'secret' })
    return ApiServer.open(async () => config, 'u')
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#sockets.close()
    this.#http.closeAllConnections()
    this.#http.close()
  }
}
