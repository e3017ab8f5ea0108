// SPDX-License-Identifier: Apache-2.0

import './flows.css'
import type { FlowsPanelContract } from '../../protocol/flowsPanel.ts'
import { Bridge } from '../bridge.ts'
import { connectHost } from '../vscode.ts'
import { FlowsPanel } from './flowsPanel.ts'

const host = connectHost()
document.body.append(new FlowsPanel(new Bridge<FlowsPanelContract>(host), host))
