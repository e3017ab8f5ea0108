// SPDX-License-Identifier: Apache-2.0

export interface PanelPage {
  /** Folder of the panel under media/, which is also the name of its bundle: "trace". */
  readonly panel: string
  readonly title: string
  /** `webview.cspSource`: where styles and fonts may come from. */
  readonly cspSource: string
  /** Fresh for each page, unguessable; only scripts that carry it run. */
  readonly nonce: string
  /** Address of a file of dist/media/. */
  readonly asset: (file: string) => string
}

/**
 * The page a panel starts as: its style sheets, its script, and a policy that allows nothing else. Whatever comes from a
 * cluster reaches it later, by message.
 */
export function panelPage({ panel, title, cspSource, nonce, asset }: PanelPage): string {
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `font-src ${cspSource}`,
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ')
  const sheet = (file: string) => `<link rel="stylesheet" href="${attribute(asset(file))}">`
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${attribute(policy)}">
<meta property="csp-nonce" content="${attribute(nonce)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${attribute(title)}</title>
${sheet('codicon.css')}
${sheet(`${panel}.css`)}
</head>
<body>
<script nonce="${attribute(nonce)}" src="${attribute(asset(`${panel}.js`))}"></script>
</body>
</html>
`
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
