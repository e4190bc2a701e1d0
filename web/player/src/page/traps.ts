// Nextcloud keeps its focus traps in a list on `window` (29 to 34). While a bubble shows, they rest.

interface Trap {
  pause?: () => unknown
  unpause?: () => unknown
  active?: boolean
  paused?: boolean
}

const resting = new Set<Trap>()

/** Puts traps to rest that are active now; called again when menus opened meanwhile. */
export function rest(): void {
  const traps = (window as { _nc_focus_trap?: Trap[] })._nc_focus_trap
  if (!Array.isArray(traps)) return
  for (const trap of traps) {
    if (resting.has(trap) || trap.paused) continue
    try {
      trap.pause?.()
      resting.add(trap)
    } catch {
      // Of another kind than we know: leave it.
    }
  }
}

/** Wakes those that rest because of us and are still there; an inner one stays in front. */
export function wake(): void {
  const traps = (window as { _nc_focus_trap?: Trap[] })._nc_focus_trap ?? []
  const last = traps.at(-1)
  try {
    if (last && resting.has(last)) last.unpause?.()
  } catch {
    // Gone meanwhile.
  }
  resting.clear()
}
