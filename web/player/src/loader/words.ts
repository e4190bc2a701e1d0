// The words of the help button, which is on every page before any file of words is loaded.

const WORDS: Record<string, string> = {
  en: 'Help and guided tours',
  fr: 'Aide et visites guidées',
  de: 'Hilfe und Rundgänge',
  es: 'Ayuda y visitas guiadas',
  it: 'Aiuto e visite guidate',
  pt: 'Ajuda e visitas guiadas',
  ar: 'المساعدة والجولات الإرشادية',
}

/** In the page's language, else in English. */
export const helpLabel = (): string => WORDS[document.documentElement.lang.split('-')[0] ?? ''] ?? WORDS.en ?? ''
