// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  COMMAND_IDS,
  CONTEXT_KEYS,
  FIND_PANEL,
  MAP_PANEL,
  PANEL_CONTAINER,
  SAVED_TRACE_EDITOR,
  SAVED_TRACE_SUFFIX,
  SETTING_IDS,
  TRACE_PANEL,
  VIEW_CONTAINER,
  VIEWS,
  WALKTHROUGH,
} from './contributions.ts'

const ROOT = join(import.meta.dirname, '..')
const text = readFileSync(join(ROOT, 'package.json'), 'utf8')
const manifest = JSON.parse(text)
const { contributes } = manifest
const strings = JSON.parse(readFileSync(join(ROOT, 'package.nls.json'), 'utf8'))

const sorted = (values: Iterable<string>) => [...values].sort()

test('commands, settings, views, editors and the walkthrough are the same in code and manifest', () => {
  assert.deepEqual(sorted(contributes.commands.map((command: { command: string }) => command.command)), sorted(COMMAND_IDS))
  const settings = contributes.configuration.flatMap((group: { properties: object }) => Object.keys(group.properties))
  assert.deepEqual(sorted(settings), sorted(SETTING_IDS))
  const views = [VIEW_CONTAINER, PANEL_CONTAINER].flatMap((container) => contributes.views[container])
  assert.deepEqual(sorted(views.map((view: { id: string }) => view.id)), sorted(Object.values(VIEWS)))
  assert.deepEqual(
    contributes.walkthroughs.map((walkthrough: { id: string }) => walkthrough.id),
    [WALKTHROUGH],
  )
  assert.deepEqual(
    contributes.customEditors.map(({ viewType, selector }: { viewType: string; selector: object }) => [viewType, selector]),
    [[SAVED_TRACE_EDITOR, [{ filenamePattern: `*${SAVED_TRACE_SUFFIX}` }]]],
  )
  for (const panel of [TRACE_PANEL, MAP_PANEL, FIND_PANEL])
    assert.ok(manifest.activationEvents.includes(`onWebviewPanel:${panel}`), panel)
})

test('menus and welcome views use commands and context keys that exist', () => {
  const used = [...JSON.stringify(contributes.menus).matchAll(/"command":"([^"]+)"/g)].map((match) => match[1] ?? '')
  const linked = [...JSON.stringify(strings).matchAll(/command:(plumbline\.[\w.]+)/g)].map((match) => match[1] ?? '')
  for (const id of [...used, ...linked]) assert.ok(COMMAND_IDS.includes(id as never), `${id} is a command`)
  const conditions = [...JSON.stringify(contributes).matchAll(/"(?:when|enablement)":"([^"]+)"/g)].map((match) => match[1] ?? '')
  const keys = conditions.flatMap((when) =>
    [...when.matchAll(/(?<![\w.^/])plumbline\.(?:has|no)[A-Z]\w+/g)].map((match) => match[0]),
  )
  const events = [...text.matchAll(/onContext:(plumbline\.\w+)/g)].map((match) => match[1] ?? '')
  assert.deepEqual(sorted(new Set([...keys, ...events])), sorted(CONTEXT_KEYS))
})

test('every text of the manifest is in package.nls.json, and none there is unused', () => {
  const used = [...text.matchAll(/"%([\w.]+)%"/g)].map((match) => match[1] ?? '')
  assert.deepEqual(sorted(new Set(used)), sorted(Object.keys(strings)))
})

test('every setting has a default, a description, an order and a scope; paths and images belong to the machine', () => {
  for (const group of contributes.configuration) {
    for (const [id, setting] of Object.entries<Record<string, unknown>>(group.properties)) {
      for (const key of ['default', 'markdownDescription', 'order', 'scope', 'type'])
        assert.ok(key in setting, `${id} has ${key}`)
      if (/kubeconfig|bundles|agent/.test(id)) {
        assert.equal(setting['scope'], 'machine', id)
        assert.ok(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations.includes(id), id)
      }
    }
  }
})

test('nothing happens at start-up', () => {
  for (const event of manifest.activationEvents) assert.match(event, /^on(Language|WebviewPanel):/)
})

test('files the manifest names exist', () => {
  const named = [...text.matchAll(/"(media\/[^"]+)"/g)].map((match) => match[1] ?? '')
  assert.ok(named.length > 3)
  for (const file of named) assert.ok(existsSync(join(ROOT, file)), file)
})

test('context values that menus ask for are ones that rows have', () => {
  const code = globSync(join(ROOT, 'src/trees/*.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('')
  const asked = [...JSON.stringify(contributes.menus).matchAll(/viewItem == (plumbline\.[\w.+]+)/g)].map(
    (match) => match[1] ?? '',
  )
  for (const value of asked) assert.ok(code.includes(value.split('+')[0] ?? ''), value)
})
