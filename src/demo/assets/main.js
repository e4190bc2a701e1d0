// The stand-in's menus behave as the real ones: the account menu is in the page and hidden, the app
// grid and "New" appear when opened and go away on a click outside or Escape.
(() => {
	'use strict'
	const token = document.head.dataset.requesttoken
	const $ = (selector) => document.querySelector(selector)

	const popover = (button, template, className, at) => {
		let open = null
		const close = () => { open?.remove(); open = null; button.setAttribute('aria-expanded', 'false') }
		button.addEventListener('click', (event) => {
			event.stopPropagation()
			if (open) return close()
			open = document.createElement('div')
			open.className = className
			open.append(template.content.cloneNode(true))
			document.body.append(open)
			const box = button.getBoundingClientRect()
			open.style.top = `${box.bottom + 4}px`
			if (at) { open.style.insetInlineStart = `${box.left}px`; open.style.insetInlineEnd = 'auto' }
			button.setAttribute('aria-expanded', 'true')
			open.querySelector('a, button')?.focus()
		})
		document.addEventListener('click', (event) => { if (open && !open.contains(event.target)) close() })
		document.addEventListener('keydown', (event) => { if (open && event.key === 'Escape') { close(); button.focus() } })
		return close
	}

	const waffle = $('.app-menu__waffle')
	if (waffle) popover(waffle, $('#app-menu-template'), 'app-menu__popover', false)

	const trigger = $('[aria-controls="header-menu-user-menu"]')
	if (trigger) {
		const menu = $('#header-menu-user-menu')
		const show = (on) => { menu.style.display = on ? '' : 'none'; trigger.setAttribute('aria-expanded', String(on)) }
		trigger.addEventListener('click', () => show(menu.style.display === 'none'))
		document.addEventListener('click', (event) => { if (!event.target.closest('.header-menu')) show(false) })
		document.addEventListener('keydown', (event) => { if (event.key === 'Escape') show(false) })
	}

	const upload = async (files) => {
		const base = $('[data-upload-base]').dataset.uploadBase
		for (const file of files) {
			const answer = await fetch(base + encodeURIComponent(file.name), {
				method: 'PUT', body: file, credentials: 'same-origin',
				headers: { requesttoken: token, 'X-OC-MTime': String(Math.floor(file.lastModified / 1000)) },
			})
			if (!answer.ok) alert(`${file.name}: ${answer.status}`)
		}
		location.reload()
	}
	const add = $('[data-cy-upload-picker-add]')
	if (add) {
		const input = $('#upload-input')
		const close = popover(add, $('#new-menu-template'), 'popover', true)
		input.addEventListener('change', () => upload(input.files))
		document.addEventListener('click', (event) => {
			const entry = event.target.closest('[data-cy-upload-picker-menu-entry]')
			if (!entry) return
			close()
			if (entry.dataset.cyUploadPickerMenuEntry === 'upload-file') input.click()
			else { $('#new-folder').hidden = false; $('#new-folder input[name=name]').focus() }
		})
	}
	document.dispatchEvent(new CustomEvent('core:user-menu:mounted'))
})()
