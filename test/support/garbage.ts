// SPDX-License-Identifier: Apache-2.0

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Frees what nobody holds any more, so that memory in use is memory held. */
export const collectGarbage = runInNewContext('gc') as () => void
