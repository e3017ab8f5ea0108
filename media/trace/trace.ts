// SPDX-License-Identifier: Apache-2.0

import './trace.css'
import type { TracePanelContract } from '../../protocol/tracePanel.ts'
import { Bridge } from '../bridge.ts'
import { connectHost } from '../vscode.ts'
import { TracePanel } from './tracePanel.ts'

const host = connectHost()
document.body.append(new TracePanel(new Bridge<TracePanelContract>(host), host))
