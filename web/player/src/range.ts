// Version ranges: `>=30 <34`, `30`, `29 || >=31`. Parts that a bound does not have match any.

import type { Range } from './format.ts'

const parts = (version: string): number[] => version.split('.').map((part) => parseInt(part, 10) || 0)

/** Compares as many parts as `bound` has: 30.0.5 is equal to 30. */
function compare(version: number[], bound: number[]): number {
  for (let i = 0; i < bound.length; i++) {
    const difference = (version[i] ?? 0) - (bound[i] ?? 0)
    if (difference) return difference
  }
  return 0
}

/** Whether `version` lies in `range`; undefined if either cannot be read. */
export function inRange(version: string | null | undefined, range: Range): boolean | undefined {
  if (!version || !/^\d/.test(version)) return undefined
  const have = parts(version)
  let any = false
  for (const alternative of range.split('||')) {
    let all = true
    for (const bound of alternative.trim().split(/\s+(?=[<>=\d])/)) {
      const [, operator, wanted] = /^([<>]=?|=)?\s*(\d+(?:\.\d+)*)$/.exec(bound) ?? []
      if (wanted === undefined) return undefined
      all &&= ordered(compare(have, parts(wanted)), operator)
    }
    any ||= all
  }
  return any
}

function ordered(order: number, operator: string | undefined): boolean {
  switch (operator) {
    case '>=':
      return order >= 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '<':
      return order < 0
    default:
      return order === 0
  }
}
