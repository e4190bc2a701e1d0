import { describe, expect, it } from 'vitest'
import { inRange } from '../src/range.ts'

describe('a range', () => {
  it('compares as many parts as the bound has', () => {
    for (const [version, range, answer] of [
      ['34.0.1.2', '34', true], ['34.0.1.2', '=34.0', true], ['34.0.1.2', '34.1', false], ['34.0.1', '>34', false], ['34.0.1', '>=34.0.2', false],
      ['33.9', '>=30 <34', true], ['34.0.0', '>=30 <34', false], ['9.0', '<10', true], ['10', '<9', false], ['30.0.5', '<=30', true],
    ] as const) expect(inRange(version, range), `${version} in ${range}`).toBe(answer)
  })

  it('holds if one alternative does', () => {
    expect(inRange('29.0.4', '29 || >=31')).toBe(true)
    expect(inRange('30.0.4', '29 || >=31')).toBe(false)
  })

  it('is unknown where it or the version cannot be read', () => {
    for (const [version, range] of [[null, '30'], [undefined, '30'], ['', '30'], ['dev', '30'], ['30', '~30'], ['30', ''], ['30', '>=x']] as const) {
      expect(inRange(version, range), `${version} in ${range}`).toBeUndefined()
    }
  })
})
