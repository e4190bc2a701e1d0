// The hard cases, with the components that Nextcloud's own pages are made of: a header menu that is
// always there and hidden, with focus trap and outside-click closing; an actions menu that is absent
// until opened; a list that reuses its rows; and targets that come late, move, or go.
import { createApp, h, nextTick, reactive, Teleport } from 'vue'
import NcActionButton from '@nextcloud/vue/components/NcActionButton'
import NcActions from '@nextcloud/vue/components/NcActions'
import NcButton from '@nextcloud/vue/components/NcButton'
import NcHeaderMenu from '@nextcloud/vue/components/NcHeaderMenu'
import NcModal from '@nextcloud/vue/components/NcModal'

const state = reactive({ menu: false, actions: false, teleported: false, late: false, here: true, route: location.pathname, scroll: 0, modal: new URLSearchParams(location.search).has('modal'), clicks: 0 })
window.hard = state

const ROW = 40
const NAMES = Array.from({ length: 1000 }, (_, i) => `file-${i}.md`)

const account = {
  render: () =>
    h(
      NcHeaderMenu,
      { id: 'user-menu', isNav: true, ariaLabel: 'Settings menu', open: state.menu, 'onUpdate:open': (open) => (state.menu = open) },
      {
        trigger: () => h('span', { class: 'avatar' }, 'A'),
        default: () =>
          h('ul', { class: 'account-menu__list' }, [
            h('li', { class: 'list-item__wrapper' }, h('a', { id: 'settings', class: 'entry', href: '/settings/user' }, [h('img', { src: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>', alt: '' }), h('span', 'Settings')])),
            h('li', { class: 'list-item__wrapper' }, h('a', { id: 'logout', class: 'entry', href: '/apps/hard/logout' }, [h('img', { src: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>', alt: '' }), h('span', 'Log out')])),
          ]),
      },
    ),
}

/** Twelve elements for a thousand rows: scrolling gives each of them another file. */
const list = {
  render: () => {
    const first = Math.floor(state.scroll / ROW)
    return h('div', { id: 'list', tabindex: 0, 'aria-label': 'Files', role: 'group', onScroll: (event) => (state.scroll = event.target.scrollTop) }, [
      h('div', { style: `height:${NAMES.length * ROW}px; position:relative` },
        NAMES.slice(first, first + 12).map((name, i) => h('div', { key: i, class: 'row', 'data-cy-files-list-row-name': name, style: `position:absolute; top:${(first + i) * ROW}px` }, name)),
      ),
    ])
  },
}

const content = {
  render: () =>
    h('div', { class: 'content' }, [
      h('h1', 'Hard cases'),
      h('div', { class: 'bar' }, [
        h('div', { 'data-cy-upload-picker': '' }, [
          h(NcActions, { ariaLabel: 'New', menuName: 'New', open: state.actions, 'onUpdate:open': (open) => (state.actions = open) }, () => [
            h(NcActionButton, { 'data-cy-upload-picker-menu-entry': 'upload-file', onClick: () => state.clicks++ }, () => 'Upload files'),
            h(NcActionButton, { 'data-cy-upload-picker-menu-entry': 'folder', onClick: () => state.clicks++ }, () => 'New folder'),
          ]),
        ]),
        h(NcButton, { id: 'teleporter', 'aria-expanded': String(state.teleported), onClick: () => (state.teleported = !state.teleported) }, () => 'Teleport'),
        h(NcButton, { id: 'router', onClick: () => go('/apps/hard/other') }, () => 'Elsewhere'),
        h(NcButton, { id: 'modal', onClick: () => (state.modal = true) }, () => 'Dialog'),
        h('button', { id: 'delete', onClick: () => state.clicks++ }, 'Delete everything'),
      ]),
      state.teleported && h(Teleport, { to: 'body' }, h('div', { class: 'teleported', role: 'menu', 'aria-label': 'Teleported' }, h('button', { id: 'teleported-item', role: 'menuitem' }, 'Teleported item'))),
      state.late && h('p', { id: 'late', tabindex: 0 }, 'I came late'),
      state.here && h('p', { id: 'vanishing', tabindex: 0 }, 'I may vanish'),
      state.route.endsWith('/other') && h('p', { id: 'other', tabindex: 0 }, 'Another view'),
      h('p', { id: 'hoverer' }, ['Row ', h('span', { id: 'hover-wrap' }, h('button', { id: 'hover-only' }, 'Only under the mouse'))]),
      h('iframe', { id: 'frame', src: '/frame.html', title: 'A frame' }),
      h(list),
      h('label', ['Name ', h('input', { id: 'name', type: 'text' })]),
      state.modal && h(NcModal, { name: 'A dialog', size: 'small', onClose: () => (state.modal = false) }, () => h('div', { style: 'padding:24px' }, 'A dialog of Nextcloud')),
    ]),
}

function go(path) {
  history.pushState({}, '', path)
  state.route = path
}
window.addEventListener('popstate', () => (state.route = location.pathname))
if (!new URLSearchParams(location.search).has('never')) setTimeout(() => (state.late = true), 3000)

createApp(account).mount('#user-menu-mount')
createApp(content).mount('#app-content')
nextTick(() => document.body.setAttribute('data-ready', ''))
