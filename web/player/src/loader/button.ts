// The way in that is on every page: a button in the header that takes the colours of its neighbours.

const HELP =
  'M11 18h2v-2h-2zm1-16a10 10 0 1 0 0 20 10 10 0 0 0 0-20m0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16m0-14a4 4 0 0 0-4 4h2a2 2 0 1 1 4 0c0 2-3 1.8-3 5h2c0-2.3 3-2.5 3-5a4 4 0 0 0-4-4'

/** An outline as markup, also for `data:` addresses. */
export const svg = (path: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="20" height="20" fill="currentColor" aria-hidden="true"><path d="${path}"/></svg>`

/** A circled question mark. */
export const helpIcon = svg(HELP)

const STYLE = `:host{display:flex;flex:none;align-items:center}
:host([data-alone]){position:fixed;inset-block-end:12px;inset-inline-end:12px;z-index:1500;border-radius:50%;background:var(--color-primary-element,#00679e)}
button{all:unset;cursor:pointer;display:grid;place-items:center;inline-size:var(--default-clickable-area,44px);block-size:var(--default-clickable-area,44px);border-radius:50%;color:var(--color-background-plain-text,#fff)}
button:hover{background:#0002}
button:focus-visible{outline:2px solid;outline-offset:-2px}`

/** The help button: beside the header's other buttons, or in a corner where there is no header. */
export function helpButton(label: string, go: (opener: HTMLElement) => void): void {
  const host = document.createElement('div')
  host.id = 'passeur-help'
  const root = host.attachShadow({ mode: 'open' })
  root.innerHTML = `<style>${STYLE}</style><button type="button">${helpIcon}</button>`
  const button = root.querySelector('button') as HTMLButtonElement
  button.title = label
  button.setAttribute('aria-label', label)
  button.setAttribute('aria-haspopup', 'dialog')
  button.addEventListener('click', () => go(host))
  host.focus = (options) => button.focus(options)
  const header = document.querySelector('#header .header-end, #header .header-right')
  if (header) header.prepend(host)
  else {
    host.dataset.alone = ''
    document.body.append(host)
  }
}
