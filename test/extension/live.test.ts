// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findContext } from '../../cluster/kubeconfig.ts'
import { holdLab, whyNoLab } from '../cluster/lab.ts'
import { runSuite } from './runSuite.ts'

const reason = whyNoLab()

test('the extension and a live cluster', { skip: reason ?? false }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-live-'))
  const lab = await holdLab('mixed')
  try {
    const { name } = await findContext([{ files: [lab.kubeconfig] }], undefined)
    await runSuite(context, {
      suite: 'live',
      folder,
      env: { KUBECONFIG: lab.kubeconfig, PLUMBLINE_TEST_CONTEXT: name },
      timeoutSeconds: 400,
    })
  } finally {
    await lab.release()
    await rm(folder, { recursive: true, force: true })
  }
})
