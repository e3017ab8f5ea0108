// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Envelope } from '../../protocol/panel.ts'
import { HostBridge, type Port } from './bridge.ts'

interface Contract {
  readonly hostMethods: {
    readonly double: readonly [{ n: number }, number]
    readonly wait: readonly [Record<string, never>, string]
  }
  readonly hostEvents: { readonly hello: string }
  readonly webviewEvents: { readonly ready: { readonly version: number } }
}

function open() {
  const sent: Envelope[] = []
  let receive: (message: unknown) => void = () => {}
  const port = {
    postMessage: async (message: Envelope) => sent.push(message) > 0,
    onDidReceiveMessage: (listener: (message: unknown) => void) => {
      receive = listener
      return { dispose: () => {} }
    },
  } as unknown as Port
  const heard = { ready: 0, stale: 0, aborted: 0 }
  const bridge = new HostBridge<Contract>(port, {
    handlers: {
      double: async ({ n }) => {
        if (typeof n !== 'number') throw new TypeError('n is not a number')
        return 2 * n
      },
      wait: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            heard.aborted += 1
            reject(new Error('aborted'))
          })
        }),
    },
    onReady: () => {
      heard.ready += 1
    },
    onStale: () => {
      heard.stale += 1
    },
    describe: (_method, error) => ({ code: 'failed', message: error instanceof Error ? error.message : '' }),
  })
  const ask = async (message: unknown) => {
    receive(message)
    await new Promise((resolve) => setImmediate(resolve))
    return sent.at(-1)
  }
  return { bridge, sent, heard, ask }
}

test('answers each request once, with a result or a failure', async () => {
  const { ask, sent } = open()
  assert.deepEqual(await ask({ kind: 'request', id: 1, method: 'double', params: { n: 4 } }), { kind: 'result', id: 1, value: 8 })
  assert.deepEqual(await ask({ kind: 'request', id: 2, method: 'double', params: {} }), {
    kind: 'failure',
    id: 2,
    error: { code: 'failed', message: 'n is not a number' },
  })
  assert.equal(sent.length, 2)
})

test('refuses unknown methods, also inherited ones, and malformed requests', async () => {
  const { ask, sent } = open()
  for (const method of ['nope', 'constructor', '__proto__', 'toString']) {
    const answer = await ask({ kind: 'request', id: 1, method, params: {} })
    assert.equal(answer?.kind === 'failure' && answer.error.code, 'unknown-method')
  }
  const answer = await ask({ kind: 'request', id: 2, method: 'double', params: 7 })
  assert.equal(answer?.kind === 'failure' && answer.error.code, 'bad-request')
  const before = sent.length
  for (const noise of [undefined, null, 7, 'text', [], {}, { kind: 'request' }, { kind: 'request', id: -1, method: 'double' }])
    await ask(noise)
  assert.equal(sent.length, before)
})

test('cancelling aborts the handler; a reloaded page starts anew and gets no old answers', async () => {
  const { ask, heard, sent } = open()
  await ask({ kind: 'request', id: 1, method: 'wait', params: {} })
  await ask({ kind: 'cancel', id: 1 })
  assert.equal(heard.aborted, 1)
  await ask({ kind: 'request', id: 2, method: 'wait', params: {} })
  const before = sent.length
  await ask({ kind: 'event', name: 'ready', payload: { version: 1 } })
  assert.deepEqual(heard, { ready: 1, stale: 0, aborted: 2 })
  assert.equal(sent.length, before, 'nothing is sent for a request the page no longer knows')
})

test('a page of another version is stale', async () => {
  const { ask, heard } = open()
  for (const payload of [{ version: 2 }, {}, null]) await ask({ kind: 'event', name: 'ready', payload })
  assert.equal(heard.stale, 3)
})

test('nothing is posted once it is disposed', async () => {
  const { ask, bridge, sent } = open()
  await ask({ kind: 'request', id: 1, method: 'wait', params: {} })
  bridge.dispose()
  bridge.tell('hello', 'x')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(sent.length, 0)
})
