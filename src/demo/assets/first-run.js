// The stand-in's first-run wizard: a dialog over whatever page is open, until it is closed.
(() => {
	'use strict'
	const modal = document.createElement('div')
	modal.className = 'modal-mask'
	const dialog = document.createElement('div')
	dialog.id = 'firstrunwizard'
	dialog.setAttribute('role', 'dialog')
	dialog.setAttribute('aria-modal', 'true')
	dialog.setAttribute('aria-label', 'Welcome')
	const close = document.createElement('button')
	close.textContent = 'Close'
	close.addEventListener('click', async () => {
		await fetch('/apps/firstrunwizard/wizard', {
			method: 'DELETE', headers: { requesttoken: document.head.dataset.requesttoken },
		})
		modal.remove()
	})
	dialog.append('Welcome to a stand-in for Nextcloud. ', close)
	modal.append(dialog)
	document.body.append(modal)
	close.focus()
})()
