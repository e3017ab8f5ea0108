// SPDX-License-Identifier: Apache-2.0

// Runs in the page before its own scripts, where VS Code would have put its own. `setup` comes from panel.ts.

{
  const { theme, state } = window.setup
  if (state !== null) sessionStorage.setItem('state', JSON.stringify(state))
  const recall = () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined

  window.acquireVsCodeApi = () => ({
    postMessage: (message) => window.toHost(message),
    getState: recall,
    setState: (next) => sessionStorage.setItem('state', JSON.stringify(next)),
  })
  window.recall = recall
  window.fromHost = (envelope) => window.postMessage(envelope, '*')

  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
    console.error(`content security policy: ${violatedDirective} ${blockedURI} ${sourceFile}`),
  )
  new MutationObserver((_, observer) => {
    if (document.body === null) return
    observer.disconnect()
    document.body.className = `${theme.bodyClass} vscode-reduce-motion`
    for (const [name, value] of Object.entries(theme.variables)) document.documentElement.style.setProperty(name, value)
  }).observe(document, { childList: true, subtree: true })
}
