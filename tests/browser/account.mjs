// From the pricing page to an account and back: by keyboard alone, without JavaScript, in both
// languages; and axe, widths and sizes at every stop of the tour.
import assert from 'node:assert/strict';
import { violations } from './accessibility.mjs';
import { long } from './harness.mjs';
import { assertFits, smallTargets } from './shapes.mjs';
import { newEmail, person, press, fillCheckout, texts, tour } from './tour.mjs';

const anyRefusal = 'status of 4';

// What has the focus, by what a reader of screens calls it.
function focused(page) {
	return page.evaluate(() => {
		const e = document.activeElement;
		const label = e.labels?.[0]?.textContent;
		return (e.getAttribute('aria-label') ?? label ?? e.textContent ?? '').replace(/\s+/g, ' ').trim();
	});
}

async function tabTo(page, wanted, key = 'Tab', most = 60) {
	const seen = [];
	for (let i = 0; i < most; i++) {
		await page.keyboard.press(key);
		seen.push(await focused(page));
		if (seen.at(-1).startsWith(wanted))
			return;
	}
	assert.fail(`${wanted} was not reached: ${seen.join(' | ')}`);
}

// Enter on what has the focus leads to another page.
async function enter(page, address) {
	await Promise.all([page.waitForURL(address), page.keyboard.press('Enter')]);
}

async function byKeyboard(t, lang, options) {
	const text = texts(lang);
	const page = await t.open({ expectStatus: anyRefusal, ...options });
	const email = newEmail();
	const named = (key, name) => text(key).replace('{name}', name);
	await page.goto(`${t.url}/pricing?lang=${lang}`);
	await tabTo(page, named('card.continue_with', 'Premium'));
	await enter(page, '**/checkout/premium?**');
	await tabTo(page, text('billing.monthly'));
	await page.keyboard.press('ArrowDown');
	assert.ok(await page.locator('#billing-yearly').isChecked());
	for (const name of ['first_name', 'last_name', 'email', 'company', 'password']) {
		await tabTo(page, text(`field.${name}`), 'Tab', 2);
		await page.keyboard.type(name === 'email' ? email : person[name]);
	}
	await tabTo(page, text('checkout.terms'), 'Tab', 1);
	await page.keyboard.press('Space');
	await tabTo(page, text('checkout.subscribe'), 'Tab', 1);
	await enter(page, '**/account?notice=subscribed');
	assert.match(await page.locator('main').innerText(), /799/);
	await tabTo(page, text('account.change'));
	await enter(page, '**/account/change?**');
	await tabTo(page, 'Premium');
	await page.keyboard.press('ArrowDown');
	await tabTo(page, text('change.preview'));
	await enter(page, '**/account/change?**package_slug=enterprise**');
	await tabTo(page, text('preview.confirm'));
	await enter(page, '**/account?notice=changed');
	await tabTo(page, text('account.cancel'));
	await enter(page, '**/account/cancel?**');
	await tabTo(page, text('cancel.confirm'));
	await enter(page, '**/account?notice=cancel_planned');
	await tabTo(page, text('account.keep'));
	await enter(page, '**/account?notice=kept');
	assert.equal(await page.locator('.log tbody tr').count(), 4);
	await tabTo(page, text('nav.sign_out'));
	await enter(page, '**/sign-in?notice=signed_out');
	await tabTo(page, text('field.email'));
	await page.keyboard.type(email);
	await tabTo(page, text('field.password'), 'Tab', 1);
	await page.keyboard.type(person.password);
	await enter(page, '**/account');
	assert.equal(await page.getAttribute('html', 'lang'), lang);
}

async function axeTour(t, lang, colorScheme, width) {
	const page = await t.open({ expectStatus: anyRefusal, colorScheme, viewport: { width, height: 900 } });
	let stops = 0;
	await tour(page, t.server, lang, async (name) => {
		stops++;
		assert.deepEqual(await violations(page), [], `${name} ${lang} ${colorScheme} ${width}`);
		await assertFits(page, `${name} ${lang} ${width}`);
		assert.deepEqual(await smallTargets(page), [], name);
		await t.shot(page, `${name}-${lang}-${width}-${colorScheme}`, { fullPage: true });
	});
	t.note = `${stops} stops${long ? '' : ' (TD_LONG=1: eight tours, not four)'}`;
	assert.ok(stops >= 22, `${stops} stops`);
}

// After an error the summary has the focus, and its links lead to the fields.
async function errorSummary(t) {
	const page = await t.open({ expectStatus: anyRefusal, javaScriptEnabled: false });
	await page.goto(`${t.url}/checkout/standard?lang=en`);
	await press(page, 'Subscribe');
	assert.match(await page.title(), /^Error: /);
	assert.match(await focused(page), /^There is a problem/);
	await page.keyboard.press('Tab');
	assert.equal(await focused(page), 'Enter your first name');
	await page.keyboard.press('Enter');
	await page.waitForURL('**#first_name');
	assert.equal(await page.evaluate(() => document.activeElement.id), 'first_name');
	const field = page.getByLabel('E-mail address');
	assert.equal(await field.getAttribute('aria-invalid'), 'true');
	assert.match(await page.locator(`#${await field.getAttribute('aria-describedby')}`).innerText(), /Enter your e-mail/);
}

async function autocomplete(t) {
	const page = await t.open();
	await page.goto(`${t.url}/checkout/standard?lang=en`);
	const tokens = await page.locator('main input[autocomplete]').evaluateAll((all) => all.map((e) => [e.name, e.autocomplete]));
	assert.deepEqual(tokens, [['first_name', 'given-name'], ['last_name', 'family-name'], ['email', 'email'], ['company', 'organization'], ['password', 'new-password']]);
	await page.goto(`${t.url}/sign-in?lang=en`);
	const known = await page.locator('main input[autocomplete]').evaluateAll((all) => all.map((e) => [e.name, e.autocomplete]));
	assert.deepEqual(known, [['email', 'username'], ['password', 'current-password']]);
}

async function back(t) {
	const page = await t.open();
	await page.goto(`${t.url}/checkout/free?lang=en`);
	await fillCheckout(page, newEmail());
	await press(page, 'Subscribe');
	assert.equal(new URL(page.url()).pathname, '/account');
	await page.goto(page.url());
	assert.equal(await page.locator('.log tbody tr').count(), 1, 'loading again sends nothing again');
	await press(page, 'Sign out');
	await Promise.all([page.waitForURL((url) => url.pathname !== '/sign-in' || url.search !== '?notice=signed_out'), page.evaluate(() => history.back())]);
	assert.equal(new URL(page.url()).pathname, '/sign-in', 'going back after signing out shows nothing');
}

async function throttled(t, lang, colorScheme) {
	const text = texts(lang);
	const page = await t.open({ expectStatus: anyRefusal, colorScheme });
	const email = newEmail();
	for (let i = 0; i < 6; i++) {
		await page.goto(`${t.url}/sign-in?lang=${lang}`);
		await page.fill('[name=email]', email);
		await page.fill('[name=password]', `wrong ${i}`);
		await press(page, text('sign_in.button'));
	}
	assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), text('error.throttled.heading'));
	assert.deepEqual(await violations(page), []);
	await t.shot(page, `throttled-${lang}-${colorScheme}`);
}

// Each pair of language, scheme and width; with TD_LONG=1 each three of them.
const pairs = [['en', 'light', 1280], ['en', 'dark', 320], ['es', 'light', 320], ['es', 'dark', 1280]];
const others = [['en', 'light', 320], ['en', 'dark', 1280], ['es', 'light', 1280], ['es', 'dark', 320]];
const tours = long ? [...pairs, ...others] : pairs;

export default [
	{ name: 'account: the whole way by keyboard, in English', run: (t) => byKeyboard(t, 'en', {}) },
	{ name: 'account: the whole way by keyboard, in Spanish', run: (t) => byKeyboard(t, 'es', {}) },
	{ name: 'account: the whole way without JavaScript, in English', run: (t) => byKeyboard(t, 'en', { javaScriptEnabled: false }) },
	{ name: 'account: the whole way without JavaScript, in Spanish', run: (t) => byKeyboard(t, 'es', { javaScriptEnabled: false, viewport: { width: 320, height: 700 } }) },
	{ name: 'account: errors lead to their fields', run: errorSummary },
	{ name: 'account: fields say what they are for', run: autocomplete },
	{ name: 'account: loading again and going back', run: back },
	...tours.map(([lang, scheme, width]) => (
		{ name: `axe: every page of an account, ${lang} ${scheme} ${width}`, run: (t) => axeTour(t, lang, scheme, width) })),
	{ name: 'axe: too many tries, light', run: (t) => throttled(t, 'en', 'light') },
	{ name: 'axe: too many tries, dark', run: (t) => throttled(t, 'es', 'dark') },
];
