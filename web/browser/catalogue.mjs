// Makes from a folder of tours what Passeur makes of it: the manifest and content-addressed files.
// The rules are those of src/tours; this one is for tests of the player without a proxy.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
const names = (folder) => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).sort() : [])

/** Every target name in a tour, wherever it stands. */
function areas(tour, packs) {
  const found = new Set()
  const text = JSON.stringify(tour)
  for (const area of Object.keys(packs)) if (text.includes(`"${area}.`)) found.add(area)
  // Packs may need each other.
  let size
  do {
    size = found.size
    for (const area of [...found]) for (const other of Object.keys(packs)) if (JSON.stringify(packs[area]).includes(`"${other}.`)) found.add(other)
  } while (found.size > size)
  return [...found].sort()
}

export function catalogue(folder, extra = {}) {
  const files = new Map()
  const add = (name, content) => {
    const body = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content)
    const url = `/_passeur/tours/a/${createHash('sha256').update(body).digest('hex').slice(0, 24)}/${name}`
    files.set(url, body)
    return url
  }
  const media = (folder) => (existsSync(folder) ? Object.fromEntries(readdirSync(folder).map((name) => [name, add(name, readFileSync(join(folder, name)))])) : {})
  const targets = join(folder, 'targets')
  const packs = Object.fromEntries(names(targets).map((name) => [name.slice(0, -5), read(join(targets, name))]))
  const tours = readdirSync(folder)
    .filter((id) => existsSync(join(folder, id, 'tour.json')))
    .map((id) => {
      const tour = read(join(folder, id, 'tour.json'))
      const locales = Object.fromEntries(names(join(folder, id, 'locales')).map((name) => [name.slice(0, -5), read(join(folder, id, 'locales', name))]))
      return { id, tour, locales }
    })
  const uiFolder = existsSync(join(folder, 'ui')) ? join(folder, 'ui') : extra.ui
  const ui = Object.fromEntries(names(uiFolder).map((name) => [name.slice(0, -5), read(join(uiFolder, name))]))
  for (const [lang, words] of Object.entries(ui)) {
    for (const { id, locales } of tours) {
      for (const key of ['title', 'summary']) words[`tour.${id}.${key}`] = locales[lang]?.[`tour.${key}`] ?? locales.en?.[`tour.${key}`] ?? id
    }
  }
  const urls = (all, name = (key) => `${key}.json`) => Object.fromEntries(Object.entries(all).map(([key, value]) => [key, add(name(key), value)]))
  const manifest = {
    $v: 1,
    engine: '',
    source: 'https://example.org/source',
    version: '0.0.1',
    ui: urls(ui),
    packs: urls(packs),
    report: { counters: true, missing: 1 },
    help: true,
    tours: tours
      .map(({ id, tour, locales }) => ({
        id,
        rev: tour.rev,
        kind: tour.kind,
        offer: { auto: false, priority: 0, delay: 0, again: 'never', ...tour.offer },
        ...(tour.when ? { when: tour.when } : {}),
        file: add('tour.json', tour),
        locales: urls(locales),
        packs: areas(tour, packs),
        media: media(join(folder, id, 'media')),
      }))
      .sort((a, b) => b.offer.priority - a.offer.priority || (a.id < b.id ? -1 : 1)),
  }
  return { manifest, files, add }
}
