/** States in words and colours; never in colour alone. */
import type { Progress, State } from "../api";
import { t } from "../i18n";

const TONES: Partial<Record<State, string>> = {
  awaiting: "warn",
  done: "good",
  failed: "bad",
  paused: "warn",
  undo_failed: "bad",
};

export function StateBadge({ state }: { state: State }) {
  return <span class={`badge ${TONES[state] ?? ""}`}>{t(`state.${state}`)}</span>;
}

/** How much is over, from 0 to 1: by bytes where there are any, else by things. */
export function share({ bytes, bytes_done, objects, objects_done, items, items_done }: Progress): number {
  const [done, all] = bytes > 0 ? [bytes_done, bytes] : objects > 0 ? [objects_done, objects] : [items_done, items];
  return all > 0 ? Math.min(1, done / all) : 0;
}

export function isOver(state: State): boolean {
  return ["done", "failed", "cancelled", "undone", "undo_failed"].includes(state);
}
