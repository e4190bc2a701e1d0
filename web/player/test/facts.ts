import type { Facts } from '../src/conditions.ts'

/** Alice on her files, of whom everything is known. */
export const facts = (part: Partial<Facts> = {}): Facts => ({
  nc: '34.0.1.2',
  apps: new Map([['files', '2.6.0'], ['calendar', '6.5.1'], ['deck', null]]),
  admin: false,
  lang: 'pt-BR',
  path: '/apps/files/files',
  groups: ['board'],
  device: 'desktop',
  themes: new Set(['dark']),
  site: 'blue.farm',
  loginDays: 3,
  now: Date.parse('2026-05-10T12:00:00Z'),
  flags: { role: 'treasurer' },
  seen: (tour) => (tour === 'welcome' ? 'done' : undefined),
  has: (target) => target === 'files.new',
  ...part,
})
