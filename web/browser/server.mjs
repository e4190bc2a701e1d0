// A page of a signed-in person as Nextcloud makes it (header, policy with a nonce, globals), with the
// loader's tag in front as Passeur puts it, a DAV property in memory, and the events that came.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogue } from './catalogue.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const dist = join(here, '..', 'dist')

const TYPES = { js: 'text/javascript', json: 'application/json', svg: 'image/svg+xml' }

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

const THEME = readFileSync(join(here, 'page', 'theme.css'), 'utf8')

export async function serve({ folder = join(here, 'tours'), page = '', ui } = {}) {
  const { apps } = JSON.parse(readFileSync(join(dist, 'manifest.json'), 'utf8'))
  const { manifest, files, add } = catalogue(folder, { ui: ui ?? join(here, '../../config/tours/ui') })
  manifest.engine = add('engine.js', readFileSync(join(dist, 'player', apps.player.engine)))
  const loader = readFileSync(join(dist, 'player', apps.player.loader), 'utf8')
  const editor = readFileSync(join(dist, 'player', apps.player.editor))
  /** What a test may change and look at. */
  const state = {
    manifest, version: '34.0.1.2', admin: false, lang: 'en', dir: 'ltr', themes: 'default', apps: ['files', 'dashboard', 'hard', 'settings'],
    tag: { site: 'test', progress: 'dav', token: 'x', apps: '', wizard: 'wait' }, property: null, dav: 'ok', store: 'ok', off: [], editing: null, problems: [], events: [], requests: [], violations: [], head: '', gone: false,
  }

  const html = (path) => {
    const nonce = randomBytes(16).toString('base64')
    const tag = Object.entries(state.tag).map(([key, value]) => ` data-${key}="${escaped(value)}"`).join('')
    const script = `(${JSON.stringify(state.manifest)})`
    const source = state.editing ? add('editor.js', editor) : add('loader.js', loader.replace('__PASSEUR_MANIFEST__', () => script))
    const app = path.split('/')[2] || 'hard'
    return {
      nonce,
      body: `<!DOCTYPE html><html lang="${state.lang}" data-locale="${state.lang}"><head data-user="alice" data-requesttoken="a:b"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Hard cases</title><style>${THEME}</style><link rel="stylesheet" href="/page.css">
<script nonce="${nonce}" defer src="${source}" data-passeur-tours="1"${tag}></script>
<script nonce="${nonce}">window._oc_webroot='';window._oc_isadmin=${state.admin};window._oc_config={version:'${state.version}',modRewriteWorking:true};
window._oc_appswebroots=${JSON.stringify(Object.fromEntries(state.apps.map((id) => [id, `/apps/${id}`])))};
document.addEventListener('securitypolicyviolation',e=>fetch('/violation?'+encodeURIComponent(e.violatedDirective+' '+e.blockedURI)));</script>
${state.head}<script nonce="${nonce}" defer src="/page.js"></script></head>
<body id="${path.startsWith('/settings') ? 'body-settings' : 'body-user'}" dir="${state.dir}" data-themes="${state.themes}">
<header id="header"><div class="header-start"><a href="/apps/hard/" class="logo">Cloud</a></div><div class="header-end"><div id="user-menu-mount"></div></div></header>
<div id="content" class="app-${app}"><main id="app-content"></main></div></body></html>`,
    }
  }

  const handle = async (request, answer) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const url = new URL(request.url, 'http://x')
    state.requests.push(`${request.method} ${url.pathname}`)
    const send = (status, type, content, headers = {}) => {
      answer.writeHead(status, { 'Content-Type': type, ...headers })
      answer.end(content)
    }
    if (files.has(url.pathname)) {
      return send(200, TYPES[url.pathname.split('.').at(-1)], files.get(url.pathname), { 'Cache-Control': 'public, max-age=31536000, immutable' })
    }
    // Files are served as long as pages that know them may be open.
    if (state.gone && url.pathname.startsWith('/_passeur/')) return send(410, 'text/plain', '')
    if (url.pathname === '/_passeur/tours/on') return send(state.off.includes(url.searchParams.get('tour')) ? 404 : 204, 'text/plain', '')
    if (url.pathname === '/_passeur/tours/progress') return store(state, request, body, send)
    if (url.pathname.startsWith('/_passeur/tours/draft')) return draft(state, request.method, url.pathname.slice('/_passeur/tours/draft/'.length), body, send)
    if (url.pathname === '/_passeur/tours/events') {
      state.events.push(JSON.parse(body))
      return send(204, 'text/plain', '')
    }
    if (url.pathname === '/violation') {
      state.violations.push(decodeURIComponent(url.search))
      return send(204, 'text/plain', '')
    }
    if (url.pathname.startsWith('/remote.php/dav/files/')) return dav(state, request, body, send)
    if (url.pathname === '/ocs/v2.php/cloud/user') return send(200, 'application/json', JSON.stringify({ ocs: { data: { groups: ['board'] } } }))
    if (url.pathname === '/page.js') return send(200, 'text/javascript', page?.js ?? '')
    if (url.pathname === '/page.css') return send(200, 'text/css', page?.css ?? '')
    if (url.pathname === '/frame.html') return send(200, 'text/html', '<!DOCTYPE html><html lang="en"><title>Frame</title><body><p>Before</p><button id="in-frame">Inside the frame</button></body></html>')
    if (/^\/(apps|settings)\//.test(url.pathname)) {
      const { nonce, body: page } = html(url.pathname)
      const policy = `default-src 'none';base-uri 'none';script-src 'nonce-${nonce}';script-src-elem 'strict-dynamic' 'nonce-${nonce}';style-src 'self' 'unsafe-inline';img-src 'self' data: blob:;font-src 'self' data:;connect-src 'self';media-src 'self';frame-src 'self';form-action 'self'`
      return send(200, 'text/html; charset=utf-8', page, { 'Content-Security-Policy': policy, 'Cache-Control': 'no-store' })
    }
    send(404, 'text/plain', '')
  }
  const server = createServer((request, answer) => void handle(request, answer).catch((error) => answer.destroy(error)))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { state, origin: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close() } }
}

/** One dead property, as a Nextcloud stores it; `state.dav` = `down` or `readonly` refuses. */
function dav(state, request, body, send) {
  if (request.headers.requesttoken !== 'a:b') return send(401, 'text/plain', '')
  if (state.dav === 'down') return send(503, 'text/plain', '')
  const answer = (prop, status) =>
    send(207, 'application/xml', `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/</d:href><d:propstat><d:prop>${prop}</d:prop><d:status>HTTP/1.1 ${status}</d:status></d:propstat></d:response></d:multistatus>`)
  if (request.method === 'PROPFIND') {
    if (state.property === null) return answer('<p:progress xmlns:p="urn:passeur:tours"/>', '404 Not Found')
    return answer(`<p:progress xmlns:p="urn:passeur:tours">${state.property}</p:progress>`, '200 OK')
  }
  if (state.dav === 'readonly') return answer('<p:progress xmlns:p="urn:passeur:tours"/>', '403 Forbidden')
  state.property = /<p:progress>([^]*)<\/p:progress>/.exec(body)?.[1] ?? state.property
  answer('<p:progress xmlns:p="urn:passeur:tours"/>', '200 OK')
}

/** The document as Passeur's store keeps it, for a page that shows its token; `state.store` = `down` refuses. */
function store(state, request, body, send) {
  if (request.headers['x-passeur-token'] !== state.tag.token) return send(401, 'text/plain', '')
  if (state.store === 'down') return send(503, 'text/plain', '')
  if (request.method === 'PUT') state.property = body
  send(200, 'application/json', state.property ?? '{"$v":1,"reset":0,"offered":0,"tours":{}}')
}

/** The draft of whoever edits `state.editing.tour`; `state.problems` is what is wrong with it. */
function draft(state, method, file, body, send) {
  const { editing } = state
  if (!editing) return send(401, 'text/plain', '')
  if (method === 'PUT') {
    editing.files = JSON.parse(body)
    return send(200, 'application/json', JSON.stringify({ problems: state.problems }))
  }
  if (method === 'DELETE') {
    state.editing = null
    return send(204, 'text/plain', '')
  }
  if (!file) return send(200, 'application/json', JSON.stringify({ tour: editing.tour, ends: 0, manifest: state.manifest, files: editing.files ?? {} }), { 'Cache-Control': 'no-store' })
  const text = editing.files[file]
  send(text ? 200 : 404, 'application/json', text ?? '', { 'Cache-Control': 'no-store' })
}
