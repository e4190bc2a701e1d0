// The tours that come with Passeur, walked by everyone they are for.
import { readFileSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { following, shown } from '../src/graph.ts'
import { facts } from './facts.ts'

const shipped = new URL('../../../config/tours/', import.meta.url)
const folders = readdirSync(shipped, { withFileTypes: true }).filter((each) => each.isDirectory())
const ids = folders.map(({ name }) => name).filter((name) => !['schema', 'targets', 'ui'].includes(name))

it('are there', () => expect(ids.length).toBeGreaterThan(10))

it.each(ids)('%s comes to an end', (id) => {
  const tour = JSON.parse(readFileSync(new URL(`${id}/tour.json`, shipped), 'utf8'))
  const branches = Object.values(tour.steps).flatMap((each) => (each.choices ?? []).filter(({ to }) => to !== 'end'))
  for (const admin of [true, false])
    for (const { set = {}, to } of [{ to: tour.start }, ...branches]) {
      const now = facts({ admin, flags: { ...tour.flags, ...set } })
      const been = []
      for (let at = shown(tour, to, now); at !== null; at = following(tour, at, now)) {
        expect(been, `${at} comes again`).not.toContain(at)
        been.push(at)
      }
      if (to === tour.start) expect(been).not.toEqual([])
    }
})
