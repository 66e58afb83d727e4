// The choice of period and of language: with the mouse, with the keyboard, without JavaScript.
import assert from 'node:assert/strict';
import { waitFor } from './harness.mjs';

async function visibleAmounts(page) {
	const all = await page.locator('.card .amount').all();
	const shown = [];
	for (const one of all) {
		if (await one.isVisible())
			shown.push(await one.innerText());
	}
	return shown;
}

const monthly = ['$0.00', '$29.99', '$79.99', '$299.99'];
const yearly = ['$0.00', '$299.00', '$799.00', '$2,999.00'];

async function chooseYearly(t, options) {
	const page = await t.open(options);
	await page.goto(`${t.url}/pricing?lang=en`);
	assert.deepEqual(await visibleAmounts(page), monthly);
	await page.getByText('Yearly', { exact: true }).click();
	assert.ok(await page.getByRole('radio', { name: 'Yearly' }).isChecked());
	assert.deepEqual(await visibleAmounts(page), yearly);
	await page.getByRole('link', { name: 'Continue with Premium' }).click();
	assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/checkout/premium?billing=yearly&lang=en');
}

async function press(page, key, times = 1) {
	for (let i = 0; i < times; i++)
		await page.keyboard.press(key);
	return page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? (document.activeElement.id || document.activeElement.textContent.trim()));
}

async function pressUntil(page, key, wanted, most) {
	const seen = [];
	for (let i = 0; i < most; i++) {
		seen.push(await press(page, key));
		if (seen.at(-1) === wanted)
			return;
	}
	assert.fail(`${wanted} was not reached: ${seen.join(' | ')}`);
}

export default [
	{ name: 'choices: the yearly prices with a click', run: (t) => chooseYearly(t, {}) },
	{ name: 'choices: the yearly prices without JavaScript', run: (t) => chooseYearly(t, { javaScriptEnabled: false }) },
	{ name: 'choices: ?billing=yearly is answered with the yearly prices', async run(t) {
		const page = await t.open({ javaScriptEnabled: false });
		await page.goto(`${t.url}/pricing?lang=en&billing=yearly`);
		assert.deepEqual(await visibleAmounts(page), yearly);
		await page.goto(`${t.url}/pricing?lang=en&billing=nonsense`);
		assert.deepEqual(await visibleAmounts(page), monthly);
	} },
	{ name: 'choices: keyboard only, from the top to checkout', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/pricing?lang=en`);
		assert.equal(await press(page, 'Tab'), 'Skip to content');
		assert.ok(await page.getByText('Skip to content').isVisible());
		await pressUntil(page, 'Tab', 'Español', 4);
		assert.equal(await press(page, 'Tab'), 'billing-monthly');
		assert.equal(await press(page, 'ArrowRight'), 'billing-yearly');
		assert.deepEqual(await visibleAmounts(page), yearly);
		const ring = await page.locator('label[for=billing-yearly]').evaluate((e) => getComputedStyle(e).outlineStyle);
		assert.equal(ring, 'solid', 'the focused choice shows a ring');
		await t.shot(page, 'keyboard-yearly');
		await pressUntil(page, 'Tab', 'Continue with Premium', 4);
		await page.keyboard.press('Enter');
		await page.waitForURL('**/checkout/premium?billing=yearly&lang=en');
	} },
	{ name: 'choices: the comparison scrolls by keyboard where it does not fit', async run(t) {
		const page = await t.open({ viewport: { width: 390, height: 800 } });
		await page.goto(`${t.url}/pricing?lang=en`);
		const region = page.getByRole('region', { name: 'Compare every feature' });
		await region.focus();
		assert.equal(await region.evaluate((e) => e.scrollLeft), 0);
		await waitFor(async () => {
			await page.keyboard.press('ArrowRight');
			return region.evaluate((e) => e.scrollLeft > 0);
		}, 'the comparison scrolled');
	} },
	{ name: 'choices: every focusable thing shows where the focus is', async run(t) {
		for (const colorScheme of ['light', 'dark']) {
			const page = await t.open({ colorScheme });
			await page.goto(`${t.url}/pricing?lang=en`);
			let name = await press(page, 'Tab');
			let stops = 0;
			for (; await page.evaluate(() => document.activeElement !== document.body); stops++) {
				const ring = await page.evaluate(() => {
					const e = document.activeElement;
					const shown = e.matches('.pills input') ? e.nextElementSibling : e;
					const box = e.getBoundingClientRect();
					return { style: getComputedStyle(shown).outlineStyle, inside: box.bottom > 0 && box.top < innerHeight };
				});
				assert.equal(ring.style, 'solid', name);
				assert.ok(ring.inside, `${name} is out of sight`);
				name = await press(page, 'Tab');
			}
			assert.ok(stops >= 10 && stops < 40, `${stops} stops`);
		}
	} },
	{ name: 'choices: the language link keeps the period and is remembered', async run(t) {
		const page = await t.open({ locale: 'en-US' });
		await page.goto(`${t.url}/pricing`);
		assert.equal(await page.getAttribute('html', 'lang'), 'en');
		await page.getByText('Yearly', { exact: true }).click();
		await page.getByRole('link', { name: 'Español' }).click();
		assert.equal(await page.getAttribute('html', 'lang'), 'es');
		assert.ok(await page.getByRole('radio', { name: 'Anual' }).isChecked());
		await page.goto(`${t.url}/pricing`);
		assert.equal(await page.getAttribute('html', 'lang'), 'es', 'the cookie is stronger than the browser');
		await page.goto(`${t.url}/pricing?lang=en`);
		assert.equal(await page.getAttribute('html', 'lang'), 'en', 'the address is stronger than the cookie');
	} },
	{ name: 'choices: the browser\'s language without a word from the visitor', async run(t) {
		for (const [locale, lang] of [['es-MX', 'es'], ['en-GB', 'en'], ['de-DE', 'en']]) {
			const page = await t.open({ locale });
			const answer = await page.goto(`${t.url}/pricing`);
			assert.equal(await page.getAttribute('html', 'lang'), lang);
			assert.match(answer.headers().link, /hreflang="es"/);
		}
	} },
];
