// Widths, zoom, text spacing, colour schemes, less motion, forced colours.
import assert from 'node:assert/strict';

const addresses = ['/pricing', '/checkout/premium?billing=yearly', '/problems', '/problems/validation', '/no/such/page'];

function withLang(address, lang) {
	return `${address}${address.includes('?') ? '&' : '?'}lang=${lang}`;
}

// What is wider than the window, by the path to it; the comparison scrolls in itself.
function wideParts() {
	const wide = [];
	for (const e of document.querySelectorAll('body *')) {
		const box = e.getBoundingClientRect();
		if (!e.closest('.scroll table, .vh, .skip, svg, input.vh') && box.width > 0 && box.right > innerWidth + 1)
			wide.push(`${e.tagName}.${e.className} ${Math.round(box.right)}`);
	}
	return { wide, page: document.documentElement.scrollWidth - innerWidth };
}

export async function assertFits(page, what) {
	const { wide, page: over } = await page.evaluate(wideParts);
	assert.ok(over <= 0, `${what}: the page is ${over} px too wide: ${wide.join(', ')}`);
	assert.deepEqual(wide, [], what);
}

async function fitsAt(t, width, options = {}) {
	for (const lang of ['en', 'es']) {
		const page = await t.open({ viewport: { width, height: 800 }, expectStatus: 404, ...options });
		for (const address of addresses) {
			await page.goto(t.url + withLang(address, lang));
			await assertFits(page, `${address} ${lang} ${width}`);
		}
		await page.goto(`${t.url}/pricing?lang=${lang}&billing=yearly`);
		await assertFits(page, `yearly ${lang} ${width}`);
		if (width < 1920)
			await t.shot(page, `pricing-${lang}-${width}${options.deviceScaleFactor ? '-zoom' : ''}`, { fullPage: true });
	}
}

// WCAG 2.5.8; a link inside a sentence is excepted.
export function smallTargets(page) {
	return page.evaluate(() => [...document.querySelectorAll('a, button, label, input')]
		.filter((e) => !e.matches('.skip, .vh, [type=hidden], .pills input, p.lead > a, p.fine > a, .field > label')).map((e) => ({ text: e.textContent || e.name, box: e.getBoundingClientRect() }))
		.filter(({ text, box }) => box.width > 0 && (box.height < 24 || box.width < 24) && text !== 'billing_cycle' && text !== 'package_slug' && text !== 'when').map(({ text, box }) => `${text} ${box.width}x${box.height}`));
}

const spacing = '* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; } p { margin-bottom: 2em !important; }';

export default [
	{ name: 'shapes: nothing scrolls sideways at 320 px', run: (t) => fitsAt(t, 320) },
	{ name: 'shapes: nothing scrolls sideways at 768 px', run: (t) => fitsAt(t, 768) },
	{ name: 'shapes: nothing scrolls sideways at 1280 px', run: (t) => fitsAt(t, 1280) },
	{ name: 'shapes: nothing scrolls sideways at 1920 px', run: (t) => fitsAt(t, 1920) },
	{ name: 'shapes: 1280 px at 200 % zoom', run: (t) => fitsAt(t, 640, { deviceScaleFactor: 2 }) },
	{ name: 'shapes: text with the spacing of WCAG 1.4.12 stays whole', async run(t) {
		const page = await t.open({ viewport: { width: 320, height: 800 }, bypassCSP: true });
		await page.goto(`${t.url}/pricing?lang=es`);
		await page.addStyleTag({ content: spacing });
		await assertFits(page, 'spaced');
		const cut = await page.evaluate(() => [...document.querySelectorAll('main :is(p, h1, h2, h3, a, li, dd, dt, label)')]
			.filter((e) => !e.closest('.vh') && getComputedStyle(e).overflow === 'hidden' && e.scrollHeight > e.clientHeight + 1).map((e) => e.outerHTML));
		assert.deepEqual(cut, []);
	} },
	{ name: 'shapes: dark and light follow the reader', async run(t) {
		const seen = {};
		for (const colorScheme of ['light', 'dark']) {
			const page = await t.open({ colorScheme });
			await page.goto(`${t.url}/pricing?lang=en`);
			seen[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).map(Number));
			await t.shot(page, `pricing-en-1280-${colorScheme}-top`);
			await t.shot(page, `pricing-en-1280-${colorScheme}`, { fullPage: true });
		}
		assert.ok(Math.min(...seen.light) > 220, seen.light.join());
		assert.ok(Math.max(...seen.dark) < 50, seen.dark.join());
	} },
	{ name: 'shapes: less motion where it is asked for', async run(t) {
		const page = await t.open({ reducedMotion: 'reduce' });
		await page.goto(`${t.url}/pricing?lang=en`);
		const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0).length);
		assert.equal(moving, 0);
	} },
	{ name: 'shapes: forced colours keep the choice and the highlighted card apart', async run(t) {
		const page = await t.open({ forcedColors: 'active' });
		await page.goto(`${t.url}/pricing?lang=en`);
		const colours = await page.evaluate(() => ['label[for=billing-monthly]', 'label[for=billing-yearly]'].map((s) => getComputedStyle(document.querySelector(s)).backgroundColor));
		assert.notEqual(colours[0], colours[1]);
		assert.equal(await page.locator('.best.card').evaluate((e) => getComputedStyle(e).borderTopWidth), '3px');
		await t.shot(page, 'pricing-en-forced-colors', { fullPage: true });
	} },
	{ name: 'shapes: everything that is pressed is at least 24 px', async run(t) {
		const page = await t.open({ viewport: { width: 320, height: 800 } });
		for (const address of ['/pricing', '/checkout/free', '/problems']) {
			await page.goto(t.url + withLang(address, 'en'));
			assert.deepEqual(await smallTargets(page), [], address);
		}
	} },
];
