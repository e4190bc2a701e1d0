/** Addresses of views, below the door's base; the browser's own back and forward work. */
import { useEffect, useState } from "preact/hooks";

/** Where the page is mounted: `/_passeur/` at a space's door, `/` at the host's. */
export const base = document.documentElement.dataset.base ?? "/_passeur/";

const listeners = new Set<() => void>();

/** The parts of the present address below the base, decoded. */
export function place(): string[] {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : "";
  return path.split("/").filter(Boolean).map(decode);
}

/** The address of a view. */
export function address(...parts: string[]): string {
  return base + parts.map(encodeURIComponent).join("/");
}

/** Where one logs in, to come back to the present address; at the host's door, the door itself. */
export function login(): string {
  return base === "/" ? base : `/index.php/login?redirect_url=${encodeURIComponent(location.pathname)}`;
}

export function go(...parts: string[]): void {
  history.pushState(null, "", address(...parts));
  scrollTo(0, 0);
  for (const listener of listeners) listener();
}

export function usePlace(): string[] {
  const [parts, setParts] = useState(place);
  useEffect(() => {
    const update = () => setParts(place());
    listeners.add(update);
    addEventListener("popstate", update);
    return () => {
      listeners.delete(update);
      removeEventListener("popstate", update);
    };
  }, []);
  return parts;
}

/** Props of a link that changes the view without loading the page again. */
export function link(...parts: string[]) {
  return {
    href: address(...parts),
    onClick: (event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      go(...parts);
    },
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
