// SPDX-License-Identifier: Apache-2.0

import './find.css'
import type { FindPanelContract } from '../../protocol/findPanel.ts'
import { Bridge } from '../bridge.ts'
import { connectHost } from '../vscode.ts'
import { FindPanel } from './findPanel.ts'

const host = connectHost()
document.body.append(new FindPanel(new Bridge<FindPanelContract>(host), host))
