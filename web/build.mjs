// Builds every browser application of Passeur into `dist/`, which is committed: `cargo build` needs no Node.
//
//   node build.mjs           build
//   node build.mjs --check   build in memory and fail if `dist/` differs
//
// `dist/manifest.json` holds the hashed name of every entry, and the SHA-256 of each source and each
// built file. `cargo test --test web_dist` compares them, so a source that changed without a build is
// noticed on machines without Node.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import * as esbuild from 'esbuild'

const root = dirname(fileURLToPath(import.meta.url))
const dist = join(root, 'dist')

/** One application: where its sources are, and its bundles; `limit` is bytes after gzip. */
const apps = [
  {
    name: 'player',
    sources: 'player/src',
    bundles: [
      { entry: 'engine', from: 'player/src/engine.ts', format: 'esm', limit: 22 * 1024 },
      { entry: 'loader', from: 'player/src/loader/loader.ts', format: 'iife', limit: 3 * 1024 },
      { entry: 'editor', from: 'player/src/editor/editor.ts', format: 'iife', limit: 60 * 1024 },
    ],
  },
  {
    name: 'admin',
    sources: 'admin/src',
    bundles: [
      { entry: 'app', from: 'admin/src/app.tsx', format: 'esm', limit: 100 * 1024 },
      { entry: 'style', from: 'admin/src/theme.css', limit: 20 * 1024 },
    ],
    // `{{entry}}` becomes the hashed name; `{{base}}` is left to the server.
    page: 'admin/src/index.html',
  },
]

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

function files(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name)
      return statSync(path).isDirectory() ? files(path) : [path]
    })
}

const inRoot = (path) => relative(root, path).split(sep).join('/')

const extension = (from) => (from.endsWith('.css') ? 'css' : 'js')

async function bundle(app, { entry, from, format }) {
  const isSheet = extension(from) === 'css'
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [join(root, from)],
    outfile: join(dist, app.name, `${entry}.${extension(from)}`),
    bundle: true,
    minify: true,
    write: false,
    format,
    target: ['chrome114', 'firefox125', 'safari17'],
    charset: 'utf8',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: isSheet ? [] : [minifiedText],
    banner: isSheet ? {} : { js: '/*! Passeur, AGPL-3.0-or-later */' },
  })
  return Buffer.from(result.outputFiles[0].contents)
}

/** A style sheet is text inside the bundle, and esbuild minifies only files. */
const minifiedText = {
  name: 'minified-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true, charset: 'utf8' })
      return { contents: code.trim(), loader: 'text' }
    })
  },
}

async function build() {
  const built = new Map()
  const manifest = { apps: {}, built: {}, sources: {} }
  for (const app of apps) {
    const names = {}
    for (const part of app.bundles) {
      const code = await bundle(app, part)
      const packed = gzipSync(code, { level: 9 }).length
      if (part.limit && packed > part.limit) {
        throw new Error(`${app.name}/${part.entry} is ${packed} bytes after gzip, more than ${part.limit}`)
      }
      const name = `${part.entry}.${sha256(code).slice(0, 16)}.${extension(part.from)}`
      names[part.entry] = name
      built.set(`${app.name}/${name}`, code)
      console.log(`${app.name}/${name}: ${code.length} bytes, gzip ${packed}, brotli ${brotliCompressSync(code).length}`)
    }
    manifest.apps[app.name] = names
    if (app.page) {
      const page = readFileSync(join(root, app.page), 'utf8')
      built.set(`${app.name}/index.html`, Buffer.from(page.replace(/\{\{(\w+)\}\}/g, (all, name) => names[name] ?? all)))
    }
    for (const file of files(join(root, app.sources))) manifest.sources[inRoot(file)] = sha256(readFileSync(file))
  }
  for (const file of ['build.mjs', 'package-lock.json']) manifest.sources[file] = sha256(readFileSync(join(root, file)))
  for (const [name, code] of built) manifest.built[name] = sha256(code)
  built.set('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`))
  return built
}

const built = await build()
if (process.argv.includes('--check')) {
  for (const [name, code] of built) {
    let there = null
    try {
      there = readFileSync(join(dist, name))
    } catch {
      // Missing is different, too.
    }
    if (!there?.equals(code)) {
      console.error(`dist/${name} is not what the sources give: run \`npm run build\``)
      process.exitCode = 1
    }
  }
} else {
  for (const app of apps) rmSync(join(dist, app.name), { recursive: true, force: true })
  for (const [name, code] of built) {
    mkdirSync(dirname(join(dist, name)), { recursive: true })
    writeFileSync(join(dist, name), code)
  }
}
