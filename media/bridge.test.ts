// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Envelope } from '../protocol/panel.ts'
import { Bridge, HostError } from './bridge.ts'

interface Contract {
  readonly hostMethods: { readonly add: readonly [{ a: number; b: number }, number] }
  readonly hostEvents: { readonly told: string }
  readonly webviewEvents: { readonly ready: { version: number } }
}

/** A host at the other end of the channel, by hand. */
function fakeHost() {
  const sent: Envelope[] = []
  const handlers = new Set<(envelope: Envelope) => void>()
  const bridge = new Bridge<Contract>({
    post: (envelope) => sent.push(envelope),
    listen: (handler) => {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
  })
  const tell = (envelope: Envelope) => {
    for (const handler of handlers) handler(envelope)
  }
  return { bridge, sent, tell, handlers }
}

function codeOf(code: string) {
  return (error: unknown) => error instanceof HostError && error.code === code
}

test('a request is answered by its own result, whatever the order', async () => {
  const { bridge, sent, tell } = fakeHost()
  const first = bridge.request('add', { a: 1, b: 2 })
  const second = bridge.request('add', { a: 3, b: 4 })
  assert.deepEqual(sent, [
    { kind: 'request', id: 1, method: 'add', params: { a: 1, b: 2 } },
    { kind: 'request', id: 2, method: 'add', params: { a: 3, b: 4 } },
  ])
  tell({ kind: 'result', id: 2, value: 7 })
  tell({ kind: 'result', id: 1, value: 3 })
  assert.deepEqual(await Promise.all([first, second]), [3, 7])
})

test('a failure carries its code, message and actions', async () => {
  const { bridge, tell } = fakeHost()
  const asked = bridge.request('add', { a: 1, b: 2 })
  tell({ kind: 'failure', id: 1, error: { code: 'cluster-unreachable', message: 'No route', actions: ['Show Logs'] } })
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof HostError)
    assert.deepEqual([error.code, error.message, error.actions], ['cluster-unreachable', 'No route', ['Show Logs']])
    return true
  })
})

test('aborting tells the host and drops a late answer', async () => {
  const { bridge, sent, tell } = fakeHost()
  const controller = new AbortController()
  const asked = bridge.request('add', { a: 1, b: 2 }, { signal: controller.signal })
  controller.abort()
  await assert.rejects(asked, codeOf('cancelled'))
  assert.deepEqual(sent.at(-1), { kind: 'cancel', id: 1 })
  tell({ kind: 'result', id: 1, value: 3 })
  assert.equal(sent.length, 2)
})

test('an aborted signal asks nothing', async () => {
  const { bridge, sent } = fakeHost()
  await assert.rejects(bridge.request('add', { a: 1, b: 2 }, { signal: AbortSignal.abort() }), codeOf('cancelled'))
  assert.deepEqual(sent, [])
})

test('silence ends with a timeout, unless a person is waited for', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { bridge, sent, tell } = fakeHost()
    const asked = bridge.request('add', { a: 1, b: 2 })
    const patient = bridge.request('add', { a: 2, b: 2 }, { timeout: null })
    mock.timers.tick(30_000)
    await assert.rejects(asked, codeOf('timeout'))
    assert.deepEqual(sent.at(-1), { kind: 'cancel', id: 1 })
    mock.timers.tick(3_600_000)
    tell({ kind: 'result', id: 2, value: 4 })
    assert.equal(await patient, 4)
  } finally {
    mock.timers.reset()
  }
})

test('events reach whoever listens, until it stops', () => {
  const { bridge, tell } = fakeHost()
  const heard: string[] = []
  const stop = bridge.on('told', (text) => heard.push(text))
  tell({ kind: 'event', name: 'told', payload: 'one' })
  tell({ kind: 'event', name: 'unheard', payload: 'x' })
  stop()
  tell({ kind: 'event', name: 'told', payload: 'two' })
  assert.deepEqual(heard, ['one'])
})

test('ready says the version', () => {
  const { bridge, sent } = fakeHost()
  bridge.ready()
  assert.deepEqual(sent, [{ kind: 'event', name: 'ready', payload: { version: 1 } }])
})

test('disposing ends what is open and stops listening', async () => {
  const { bridge, handlers } = fakeHost()
  const asked = bridge.request('add', { a: 1, b: 2 })
  bridge.dispose()
  await assert.rejects(asked, codeOf('cancelled'))
  assert.equal(handlers.size, 0)
})
