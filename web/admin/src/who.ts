/** Who looks at the page, for parts that adapt to it. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "./api";
import { t } from "./i18n";

export const Looking = createContext<Me>({ door: "space", name: "", sites: [], scopes: [], tours: false });

export const useMe = () => useContext(Looking);

/** As the API names who looks: `account UID`, or `token NAME`. */
export function nameOf(me: Me): string {
  return me.door === "host" ? me.name : `account ${me.uid ?? ""}`;
}

/** A name of the API as people say it. */
export function called(who: string): string {
  if (who.startsWith("account ")) return who.slice(8);
  if (who.startsWith("token ")) return t("who.token", { name: who.slice(6) });
  return who;
}
