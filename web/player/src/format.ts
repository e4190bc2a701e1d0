// The tour format as the browser reads it; the schemas are in config/tours/schema. The server checked
// the catalogue; the player still treats what it does not know as absent.

/** BCP 47. */
export type Lang = string

/** What the loader knows of the whole catalogue, put into it by the server. URLs are root-relative. */
export interface Manifest {
  $v: number
  engine: string
  /** Where the source code is; empty where nobody said. */
  source: string
  version: string
  ui: Record<Lang, string>
  packs: Record<string, string>
  report: { counters: boolean; missing: number }
  help: boolean
  tours: ManifestTour[]
}

export interface ManifestTour {
  id: string
  rev: number
  kind: 'tour' | 'quest' | 'announce'
  offer: { auto: boolean; priority: number; delay: number; again: 'never' | 'rev' | 'major'; from?: string; until?: string }
  when?: Condition
  file: string
  locales: Record<Lang, string>
  packs: string[]
  media: Record<string, string>
}

/** `>=30 <34`, `30`, `29 || >=31`: blanks are and, bars are or. */
export type Range = string

export interface Condition {
  all?: Condition[]
  any?: Condition[]
  not?: Condition
  nc?: Range
  /** `files`, or `calendar >=5 <6`. */
  app?: string
  group?: string
  admin?: boolean
  lang?: string
  /** Path below the web root, `*` for one part and `**` for the rest. */
  route?: string
  device?: 'phone' | 'desktop'
  theme?: 'light' | 'dark' | 'highcontrast'
  /** `role=treasurer`, or `role` for "is set". */
  flag?: string
  /** `welcome`, or `welcome=done`. */
  seen?: string
  /** A target that is visible now. */
  has?: string
  date?: { from?: string; until?: string }
  tenant?: string
  login_days?: Range
}

/** What to do when a target cannot be found: a policy, or the id of a step. */
export type Missing = 'skip' | 'center' | 'ask' | 'end' | (string & {})

export interface Action {
  open?: string
  close?: string
  click?: string
  /** An app's id, or a path below the web root that starts with `/`. */
  goto?: string
  wait?: Condition
  scroll?: string
  reveal?: string
  focus?: string
  set?: Record<string, string>
  highlight?: string
  /** Seconds, 5 unless told. */
  timeout?: number
  else?: Missing
  with?: Record<string, string>
}

export interface Candidate {
  css: string
  nc?: Range
  app?: string
  index?: number
  within?: string
  frame?: string
}

export interface Target {
  any: Candidate[]
  needs?: Action[]
  safe?: boolean
}

/** Full names (`files.new`) to targets. */
export type Targets = Record<string, Target>

export type Advance =
  | 'next'
  | 'click'
  | { route: string }
  | { appear: string }
  | { vanish: string }
  | { event: string }
  | { value: string }

export interface Edge {
  if?: Condition
  to: string
}

export interface Choice {
  text: string
  set?: Record<string, string>
  to: string
  if?: Condition
}

export interface Step {
  target?: string
  with?: Record<string, string>
  text: string
  media?: { file: string; kind: 'image' | 'video'; poster?: string; captions?: Record<string, string> }
  place?: string[]
  before?: Action[]
  after?: Action[]
  wait?: Condition
  allow?: 'none' | 'target' | 'page'
  advance?: Advance[]
  next?: string | Edge[]
  choices?: Choice[]
  missing?: Missing
  when?: Condition
}

export interface Chapter {
  id: string
  text: string
  steps: string[]
  skippable?: boolean
  /** The step that tells more, reached only through a button on this chapter's last step. */
  deeper?: string
}

export interface Tour {
  id: string
  rev: number
  kind?: 'tour' | 'quest' | 'announce'
  start: string
  when?: Condition
  flags?: Record<string, string>
  chapters?: Chapter[]
  defaults?: Partial<Step>
  steps: Record<string, Step>
}

export type Block = string | { list: string[] }
export type Strings = Record<string, string | Block[]>
