// SPDX-License-Identifier: Apache-2.0

/** What the package holds: all that is needed, and nothing else. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { unzipSync } from 'fflate'

/** Chunks carry a hash of their contents in their names. */
const CHUNK = /^dist\/chunks\/[\w-]+-[A-Z0-9]{8}\.js$/

const FILES = [
  'LICENSE.txt',
  'agent/deploy/daemonset.yaml',
  'agent/deploy/rbac.yaml',
  'changelog.md',
  'dist/extension.js',
  'dist/media/codicon.css',
  'dist/media/codicon.ttf',
  'dist/media/find.css',
  'dist/media/find.js',
  'dist/media/flows.css',
  'dist/media/flows.js',
  'dist/media/map.css',
  'dist/media/map.js',
  'dist/media/trace.css',
  'dist/media/trace.js',
  'dist/server.js',
  'media/icons/logo.png',
  'media/icons/logo.svg',
  'media/icons/map-dark.svg',
  'media/icons/map-light.svg',
  'media/icons/plumbline.svg',
  'media/icons/trace-dark.svg',
  'media/icons/trace-light.svg',
  'media/icons/walkthrough-connect.svg',
  'media/icons/walkthrough-deploy.svg',
  'media/icons/walkthrough-prove.svg',
  'media/icons/walkthrough-trace.svg',
  'package.json',
  'package.nls.json',
  'readme.md',
]

test('the package holds these files', async () => {
  const entries = unzipSync(await readFile('dist/plumbline.vsix'))
  const inside = Object.keys(entries).flatMap((path) => (path.startsWith('extension/') ? [path.slice('extension/'.length)] : []))
  assert.deepEqual(inside.filter((path) => !CHUNK.test(path)).sort(), FILES)
  const extension = new TextDecoder().decode(entries['extension/dist/extension.js'])
  const loaded = [...extension.matchAll(/"\.\/(chunks\/[^"]+)"/g)].map((match) => `dist/${match[1]}`)
  assert.ok(loaded.length > 3)
  for (const chunk of loaded) assert.ok(inside.includes(chunk), `${chunk} is packaged`)
})
