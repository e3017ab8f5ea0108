// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { looksLikeKubernetes } from './kubernetesYaml.ts'

test('tells Kubernetes manifests from other YAML', () => {
  assert.ok(looksLikeKubernetes('yaml', '# a comment\napiVersion: v1\nkind: Service\n'))
  assert.ok(looksLikeKubernetes('kubernetes', 'kind: Pod\napiVersion: v1\n'))
  assert.ok(!looksLikeKubernetes('json', 'apiVersion: v1\nkind: Service\n'))
  assert.ok(!looksLikeKubernetes('yaml', 'version: 3\nservices: {}\n'))
  assert.ok(!looksLikeKubernetes('yaml', 'x:\n  apiVersion: v1\n  kind: Service\n'))
  assert.ok(!looksLikeKubernetes('yaml', 'apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name }}}\n'))
  assert.ok(!looksLikeKubernetes('yaml', `${' '.repeat(5000)}\napiVersion: v1\nkind: Service\n`))
})
