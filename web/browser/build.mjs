// Bundles the page of hard cases; the result is kept in `out/` and never committed.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))

/** The script and the style sheet of a page below `page/`. */
export async function bundle(name) {
  const result = await esbuild.build({
    entryPoints: [join(here, 'page', name)],
    outdir: join(here, 'out'),
    bundle: true, write: false, format: 'iife', platform: 'browser', charset: 'utf8', logLevel: 'error',
    define: { appName: '"hard"', appVersion: '"1.0.0"', 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
    loader: { '.svg': 'dataurl' },
  })
  const text = (end) => result.outputFiles.filter(({ path }) => path.endsWith(end)).map(({ text }) => text).join('\n')
  return { js: text('.js'), css: text('.css') }
}
