// SPDX-License-Identifier: Apache-2.0

import './map.css'
import type { MapPanelContract } from '../../protocol/mapPanel.ts'
import { Bridge } from '../bridge.ts'
import { connectHost } from '../vscode.ts'
import { MapPanel } from './mapPanel.ts'

const host = connectHost()
document.body.append(new MapPanel(new Bridge<MapPanelContract>(host), host))
