// SPDX-License-Identifier: Apache-2.0

import type { Duplex } from 'node:stream'
import type { PlumblineError } from '../errors.ts'
import type { HubbleTls } from './flowsEvent.ts'
import { Observer } from './observer.ts'
import { mayBeTls, needsTls, speaksTls, tlsOver, tlsProblem, tlsSettings, wantsTls } from './tls.ts'

/** A Hubble that can be asked, and how it is reached. */
export interface HubbleServer {
  /** For messages, to begin a sentence with: "The relay `…`", "Hubble on `n1`". */
  readonly name: string
  /** The node whose flows it has; undefined when it answers for several. */
  readonly node: string | undefined
  /** Opens a byte stream to it, and returns at once. */
  readonly open: () => Duplex
  /** Whom its certificate is for, unless the settings name somebody. */
  readonly host: string
  /** Whether the way itself says that it speaks TLS. */
  readonly tls: boolean
  /** What an error of the byte stream means, if the way knows. */
  readonly explain?: (error: unknown) => PlumblineError | undefined
}

/**
 * Connects, and makes sure that a Hubble answers. Throws "hubble-tls" when one side speaks TLS and the other doesn't, or one
 * of them doesn't trust the other.
 */
export async function contact(server: HubbleServer, tls: HubbleTls, signal?: AbortSignal): Promise<Observer> {
  const secured = wantsTls(tls) ?? server.tls
  const observer = secured ? await securedObserver(server, tls) : new Observer(server.name, server.open, server.explain)
  try {
    await observer.serverStatus(signal)
    return observer
  } catch (error) {
    observer.close()
    if (!secured && mayBeTls(error) && (await speaksTls(server.open()))) throw needsTls(server.name)
    throw error
  }
}

async function securedObserver({ name, open, host, explain }: HubbleServer, tls: HubbleTls): Promise<Observer> {
  const settings = await tlsSettings(tls)
  return new Observer(
    name,
    () => tlsOver(open(), settings, host),
    (error) => explain?.(error) ?? tlsProblem(name, error),
  )
}
