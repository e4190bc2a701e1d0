/**
 * What the page takes from the instance it stands on: look, language, request token.
 *
 * All of it is on any page of a signed-in account, so one of them is read. The themes are style
 * sheets of the instance itself. Where nothing can be read (host's door, an unusual instance) the
 * page looks like a plain Nextcloud and asks the browser for language and dark mode.
 */

export interface Instance {
  languages: string[];
  requestToken?: string;
}

const PAGE = "/index.php/settings/user";

export async function read(): Promise<Instance> {
  const browser = { languages: [...navigator.languages] };
  try {
    const answer = await fetch(PAGE, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!answer.ok || !answer.headers.get("content-type")?.startsWith("text/html")) return browser;
    // Styles are of no use here, and our policy reports every one that is parsed.
    const bare = (await answer.text()).replace(/<style\b[\s\S]*?<\/style>/gi, "").replace(/\sstyle=("[^"]*"|'[^']*')/gi, "");
    const page = new DOMParser().parseFromString(inert(bare), "text/html");
    const requestToken = page.head.dataset.requesttoken;
    if (!page.head.dataset.user || !requestToken) return browser;
    dress(page);
    return { languages: [page.documentElement.lang, ...browser.languages].filter(Boolean), requestToken };
  } catch {
    return browser;
  }
}

/**
 * Text that becomes a document of its own, in which nothing runs, and is only read. Our policy lets no
 * other text become markup.
 */
function inert(text: string): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: { createHTML(text: string): string }): { createHTML(text: string): string } } }).trustedTypes;
  return types?.createPolicy("passeur", { createHTML: (text) => text }).createHTML(text) ?? text;
}

/** Puts on the themes of a page. */
function dress(page: Document): void {
  const root = document.documentElement;
  root.dir = page.body.dir || (/^(ar|fa|he|ps|ug|ur)\b/.test(page.documentElement.lang) ? "rtl" : "ltr");
  for (const name of page.body.getAttributeNames()) {
    if (!name.startsWith("data-theme")) continue;
    for (const element of [root, document.body]) element.setAttribute(name, page.body.getAttribute(name) ?? "");
  }
  for (const sheet of page.querySelectorAll<HTMLLinkElement>('link[rel~="stylesheet"]')) {
    const href = sheet.getAttribute("href") ?? "";
    // Only the variables; the rest of the instance's styles is made for other pages.
    if (!/^\/[^/]/.test(href) || !/\/apps\/theming\/theme\//.test(href)) continue;
    const own = document.createElement("link");
    own.rel = "stylesheet";
    own.href = href;
    if (sheet.media) own.media = sheet.media;
    document.head.prepend(own);
  }
}
