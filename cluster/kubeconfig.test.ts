// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { KubeconfigError } from './errors.ts'
import { findContext, kubeconfigSources, listContexts, loadContext } from './kubeconfig.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
})
after(() => rm(folder, { recursive: true }))

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const SHOP = `
apiVersion: v1
kind: Config
current-context: shop
contexts:
  - name: shop
    context: { cluster: eu, user: anna, namespace: web }
  - name: broken
    context: { cluster: nowhere, user: anna }
clusters:
  - name: eu
    cluster: { server: https://eu.example:6443, certificate-authority: pki/ca.crt }
users:
  - name: anna
    user: { token: secret, exec: { apiVersion: client.authentication.k8s.io/v1, command: ./bin/login } }
`

test('KUBECONFIG is one source of several files; explicit paths are sources of their own', () => {
  const env = { KUBECONFIG: ['/a', '', '/b'].join(delimiter) }
  assert.deepEqual(kubeconfigSources([], env), [{ files: ['/a', '/b'] }])
  assert.deepEqual(kubeconfigSources(['/c', ' ', '/d'], env), [{ files: ['/c'] }, { files: ['/d'] }])
  assert.match(kubeconfigSources([], {})[0]?.files[0] ?? '', /\.kube[/\\]config$/)
  assert.doesNotMatch(kubeconfigSources(['~/x'], {})[0]?.files[0] ?? '~', /~/)
})

test('lists contexts and names file and line of those that cannot be used', async () => {
  const path = await file('shop', SHOP)
  const { contexts, problems } = await listContexts([{ files: [path] }])
  assert.deepEqual(
    contexts.map(({ name, server, namespace, current }) => ({ name, server, namespace, current })),
    [{ name: 'shop', server: 'https://eu.example:6443', namespace: 'web', current: true }],
  )
  assert.equal(problems.length, 1)
  assert.equal(problems[0]?.message, `${path}:8: context \`broken\` names cluster \`nowhere\`, which is not defined`)
})

test('a context may use a cluster of another file of the same list; the first definition wins', async () => {
  const first = await file(
    'one',
    'contexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: "https://one"}}]',
  )
  const second = await file(
    'two',
    'users: [{name: u, user: {token: t}}]\nclusters: [{name: c, cluster: {server: "https://two"}}]',
  )
  const merged = await listContexts([{ files: [first, second] }])
  assert.equal(merged.contexts[0]?.server, 'https://one')
  const apart = await listContexts([{ files: [first] }, { files: [second] }])
  assert.equal(apart.contexts.length, 0)
  assert.match(apart.problems[0]?.message ?? '', /user `u`, which is not defined/)
})

test('a loaded context stands alone, with absolute paths', async () => {
  const path = await file('shop', SHOP)
  const config = await loadContext(await findContext([{ files: [path] }], undefined))
  assert.equal(config.getContexts().length, 1)
  assert.equal(config.getCurrentCluster()?.caFile, join(folder, 'pki/ca.crt'))
  assert.equal(config.getCurrentUser()?.exec.command, join(folder, 'bin/login'))
})

test('absent, malformed and misshapen files say what is wrong where', async () => {
  const cases: [string, RegExp][] = [
    [join(folder, 'absent'), /absent: no such file$/],
    [await file('yaml', 'contexts: [\n  {name: a\n'), /yaml:\d+: /],
    [await file('list', '- a'), /list:1: not a kubeconfig/],
    [await file('shape', 'contexts: 7'), /shape:1: `contexts` is not a list/],
    [await file('noname', 'contexts:\n- context: {}'), /noname:2: an entry of `contexts` has no name/],
    [
      await file('noserver', 'contexts: [{name: a, context: {cluster: c}}]\nclusters:\n- name: c'),
      /noserver:3: cluster `c` has no `server`/,
    ],
  ]
  for (const [path, expected] of cases) {
    const { contexts, problems } = await listContexts([{ files: [path] }])
    assert.equal(contexts.length, 0)
    assert.match(problems[0]?.message ?? '', expected)
  }
  assert.deepEqual(await listContexts([{ files: [await file('empty', '')] }]), { contexts: [], problems: [] })
})

test('an unknown context names the known ones', async () => {
  const path = await file('shop', SHOP)
  await assert.rejects(findContext([{ files: [path] }], 'prod'), (error) => {
    assert.ok(KubeconfigError.is(error))
    assert.match(error.message, /no context `prod`; there are `shop`/)
    return true
  })
})
