// Where a card goes beside a box. @floating-ui/core computes; the platform below is all it needs,
// because everything of ours is `position: fixed` in the top layer, without an offset parent or a
// clipping ancestor. (@floating-ui/dom solves what we do not have, and is three times as big.)

import { arrow, computePosition, flip, offset, shift, type Placement, type Platform } from '@floating-ui/core'

const viewport = () => ({ x: 0, y: 0, width: document.documentElement.clientWidth, height: innerHeight })

const size = (element: HTMLElement) => ({ width: element.offsetWidth, height: element.offsetHeight })

const platform: Platform = {
  getElementRects: ({ reference, floating }) => ({ reference, floating: { x: 0, y: 0, ...size(floating) } }),
  getDimensions: size,
  getClippingRect: viewport,
  getClientRects: (box: DOMRect) => [box],
}

export interface Placed {
  x: number
  y: number
  side: 'top' | 'bottom' | 'left' | 'right'
  /** The middle of the target along the side that has the arrow, seen from the card's corner. */
  arrow: number
  /** False if no side of the box has room for the card. */
  fits: boolean
}

/** `places` are physical sides in the order in which they are tried. */
export async function beside(box: DOMRect, card: HTMLElement, pointer: HTMLElement, places: Placement[]): Promise<Placed> {
  const { x, y, placement, middlewareData } = await computePosition(box, card, {
    platform,
    strategy: 'fixed',
    placement: places[0] ?? 'bottom',
    middleware: [offset(14), flip({ fallbackPlacements: places.slice(1), padding: 8 }), shift({ padding: 8 }), arrow({ element: pointer, padding: 12 })],
  })
  const { width, height } = size(card)
  const screen = viewport()
  return {
    x,
    y,
    side: placement.split('-')[0] as Placed['side'],
    arrow: middlewareData.arrow?.x ?? middlewareData.arrow?.y ?? 0,
    fits: x >= 0 && y >= 0 && x + width <= screen.width && y + height <= screen.height,
  }
}

/** Calls `moved` now and whenever the box is another: scrolling, animation, anything. */
export function track(box: () => DOMRect, moved: () => void): () => void {
  let last = ''
  let frame = 0
  const look = () => {
    const { x, y, width, height } = box()
    const now = [x, y, width, height, innerWidth, innerHeight].join()
    if (now !== last) {
      last = now
      moved()
    }
    frame = requestAnimationFrame(look)
  }
  look()
  return () => cancelAnimationFrame(frame)
}
