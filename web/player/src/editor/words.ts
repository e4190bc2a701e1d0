// The words of the editor. It is for the few who write tours, so they are part of it.

const EN = {
  title: 'Write a tour', hide: 'Make small', side: 'Other side', show: 'Show the editor', lang: 'Language of the words', addlang: 'Another language (its code)', add: 'Add',
  'tour.title': 'Title of the tour', 'tour.summary': 'In one sentence', auto: 'Offer it to newcomers', app: 'Only on pages of', anywhere: 'any app', rev: 'Revision (raise it to offer the tour again)',
  settings: 'The tour', steps: 'Steps', step: 'Step {n}', first: 'begins here', untitled: 'no title yet', up: 'Move up: {name}', down: 'Move down: {name}', remove: 'Remove this step', addstep: 'Add a step below',
  'step.title': 'Title', 'step.body': 'Text', bodyhint: 'Blank line: new paragraph. “- ”: list. **bold**, `code`, [[Ctrl]] for keys, [text](/apps/files) for links.',
  target: 'Points at', nothing: 'Nothing: the card is in the middle', pick: 'Point at an element', unpick: 'Point at nothing', css: 'Selector', own: 'or write a selector', use: 'Use it',
  picking: 'Point with the mouse and click; or arrow keys (up: around it, down: into it, left, right) and Enter. Escape ends it. Open a menu first, if what you mean is in one: it stays open.',
  known: 'has a name, and is kept up to date with Nextcloud', choose: 'Ways to find it again, the most durable first:', around: 'Nothing durable marks this element, but what is around it:', none: 'Nothing durable marks this element, nor what is around it. Choose another, or write a selector.',
  opens: 'It is in a menu: open it first', good: 'durable',
  'doubt.several': 'several elements match', 'doubt.nothing': 'finds nothing now', 'doubt.position': 'goes by position, which changes', 'doubt.generated': 'has a generated name, which changes with every release',
  'doubt.words': 'goes by words, which are translated', 'doubt.common': 'a name that is on every page', 'doubt.deep': 'goes through many elements, each of which may change', 'doubt.personal': 'names something of this account only', 'doubt.invalid': 'is no selector',
  missing: 'If it is not there', 'missing.center': 'show the text in the middle', 'missing.skip': 'skip the step', 'missing.ask': 'ask the person', 'missing.end': 'end the tour',
  advance: 'Goes on with', 'advance.next': 'the button “Next”', 'advance.click': 'a click on the element', 'advance.both': 'either of them',
  next: 'Then', below: 'the step below', end: 'the tour ends', conditions: 'by conditions, as the file says', choices: 'Buttons that lead elsewhere', addchoice: 'Add a button', label: 'Words on the button', to: 'leads to', removechoice: 'Remove the button',
  preview: 'Preview', previewhere: 'Preview from here', export: 'Export the files', finish: 'End the session', sure: 'End the session and forget the draft? Export the files first.', yes: 'End it', no: 'Go on writing',
  saved: 'Kept. Nothing is wrong.', wrong: 'Kept. To be mended:', saving: 'Keeping…', unsaved: 'Not kept: {why}. What is here is still here; the next change tries again.', gone: 'The session has ended: export the files now.', warning: 'look at it', line: 'line {n}',
}

const FR: typeof EN = {
  title: 'Écrire une visite', hide: 'Réduire', side: 'Autre côté', show: 'Afficher l’éditeur', lang: 'Langue des textes', addlang: 'Autre langue (son code)', add: 'Ajouter',
  'tour.title': 'Titre de la visite', 'tour.summary': 'En une phrase', auto: 'La proposer aux nouvelles personnes', app: 'Seulement sur les pages de', anywhere: 'toute application', rev: 'Révision (l’augmenter pour proposer à nouveau la visite)',
  settings: 'La visite', steps: 'Étapes', step: 'Étape {n}', first: 'commence ici', untitled: 'pas encore de titre', up: 'Monter : {name}', down: 'Descendre : {name}', remove: 'Supprimer cette étape', addstep: 'Ajouter une étape dessous',
  'step.title': 'Titre', 'step.body': 'Texte', bodyhint: 'Ligne vide : nouveau paragraphe. « - » : liste. **gras**, `code`, [[Ctrl]] pour une touche, [texte](/apps/files) pour un lien.',
  target: 'Montre', nothing: 'Rien : la carte est au milieu', pick: 'Montrer un élément', unpick: 'Ne rien montrer', css: 'Sélecteur', own: 'ou écrire un sélecteur', use: 'L’utiliser',
  picking: 'Visez à la souris et cliquez ; ou les flèches (haut : autour, bas : dedans, gauche, droite) et Entrée. Échap arrête. Ouvrez d’abord le menu, si l’élément est dans un menu : il reste ouvert.',
  known: 'a un nom, et est tenu à jour avec Nextcloud', choose: 'Façons de le retrouver, la plus durable d’abord :', around: 'Rien de durable ne distingue cet élément, mais bien ce qui l’entoure :', none: 'Rien de durable ne distingue cet élément, ni ce qui l’entoure. Choisissez-en un autre, ou écrivez un sélecteur.',
  opens: 'Il est dans un menu : l’ouvrir d’abord', good: 'durable',
  'doubt.several': 'plusieurs éléments correspondent', 'doubt.nothing': 'ne trouve rien pour le moment', 'doubt.position': 'dépend de la position, qui change', 'doubt.generated': 'nom généré, qui change à chaque version',
  'doubt.words': 'dépend de mots, qui sont traduits', 'doubt.common': 'nom présent sur toutes les pages', 'doubt.deep': 'passe par beaucoup d’éléments, dont chacun peut changer', 'doubt.personal': 'nomme quelque chose de ce compte seulement', 'doubt.invalid': 'n’est pas un sélecteur',
  missing: 'S’il n’est pas là', 'missing.center': 'montrer le texte au milieu', 'missing.skip': 'passer l’étape', 'missing.ask': 'demander à la personne', 'missing.end': 'finir la visite',
  advance: 'Continue avec', 'advance.next': 'le bouton « Suivant »', 'advance.click': 'un clic sur l’élément', 'advance.both': 'l’un ou l’autre',
  next: 'Ensuite', below: 'l’étape dessous', end: 'la visite se termine', conditions: 'selon les conditions du fichier', choices: 'Boutons qui mènent ailleurs', addchoice: 'Ajouter un bouton', label: 'Mots du bouton', to: 'mène à', removechoice: 'Supprimer le bouton',
  preview: 'Aperçu', previewhere: 'Aperçu depuis ici', export: 'Exporter les fichiers', finish: 'Terminer la session', sure: 'Terminer la session et oublier le brouillon ? Exportez d’abord les fichiers.', yes: 'Terminer', no: 'Continuer à écrire',
  saved: 'Conservé. Tout est en ordre.', wrong: 'Conservé. À corriger :', saving: 'Enregistrement…', unsaved: 'Non conservé : {why}. Ce qui est ici reste ici ; la prochaine modification réessaie.', gone: 'La session est terminée : exportez les fichiers maintenant.', warning: 'à vérifier', line: 'ligne {n}',
}

export type Key = keyof typeof EN

export function say(key: Key, values: Record<string, string | number> = {}): string {
  const words = document.documentElement.lang.startsWith('fr') ? FR : EN
  return words[key].replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all))
}
