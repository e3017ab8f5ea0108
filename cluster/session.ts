// SPDX-License-Identifier: Apache-2.0

import { AgentPool } from './agents.ts'
import { ApiServer } from './apiServer.ts'
import { type Collected, type CollectOptions, collect } from './collect.ts'
import { type ContextInfo, loadContext } from './kubeconfig.ts'

export interface ServerVersion {
  readonly gitVersion: string
}

export interface SessionOptions {
  /** Told when a connection to an agent was lost and is tried again. */
  readonly onRetry?: (node: string, error: unknown) => void
}

/** One live connection to one context. */
export class ClusterSession {
  readonly context: ContextInfo
  readonly server: ApiServer
  readonly agents: AgentPool
  readonly version: ServerVersion

  private constructor(context: ContextInfo, server: ApiServer, version: ServerVersion, options: SessionOptions) {
    this.context = context
    this.server = server
    this.version = version
    this.agents = new AgentPool(server, options.onRetry ?? (() => {}))
  }

  /** Connects: reads the context, gets credentials, and asks the API server for its version. */
  static async open(context: ContextInfo, options: SessionOptions = {}, signal?: AbortSignal): Promise<ClusterSession> {
    const server = await ApiServer.open(() => loadContext(context), context.user)
    const version = await server.get<ServerVersion>('/version', signal)
    return new ClusterSession(context, server, version, options)
  }

  get name(): string {
    return this.context.name
  }

  collect(options: CollectOptions = {}): Promise<Collected> {
    return collect(this, options)
  }

  close(): void {
    this.agents.close()
  }
}
