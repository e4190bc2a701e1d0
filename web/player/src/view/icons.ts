// A few outlines; decoration only, their buttons have names.

import { svg } from '../loader/button.ts'

function icon(path: string): Element {
  const parsed = document.createElement('template')
  parsed.innerHTML = svg(path)
  return parsed.content.firstElementChild as Element
}

export const cross = () => icon('M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z')
export const tick = () => icon('M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20m-2 15-5-5 1.4-1.4L10 14.2l7.6-7.6L19 8z')
export const circle = () => icon('M12 20a8 8 0 1 1 0-16 8 8 0 0 1 0 16m0-18a10 10 0 1 0 0 20 10 10 0 0 0 0-20')
