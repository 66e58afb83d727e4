// A walk through everything that a person can do with an account, past every page and every error
// that it can show. `visit(name)` is called at each stop.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './harness.mjs';

// The texts of a language: t('account.keep').
export function texts(lang) {
	const all = JSON.parse(fs.readFileSync(path.join(root, 'locales', `${lang}.json`), 'utf8'));
	return (key) => {
		assert.ok(all[key], `${lang}.json has no ${key}`);
		return all[key];
	};
}

let made = 0;
export const newEmail = () => `person${++made}.${process.pid}@example.com`;

export const person = { first_name: 'Ana', last_name: 'Gil', company: 'Gil & Co', password: 'correct horse' };

// Presses a button and waits for the page that it leads to.
export async function press(page, name) {
	await Promise.all([page.waitForNavigation(), page.getByRole('button', { name, exact: true }).click()]);
}

export async function fillCheckout(page, email, more = {}) {
	for (const [name, value] of Object.entries({ ...person, email, ...more }))
		await page.fill(`[name=${name}]`, value);
	await page.check('[name=terms]');
}

async function tourCheckout(page, url, lang, t, visit) {
	const email = newEmail();
	await page.goto(`${url}/checkout/standard?billing=yearly&lang=${lang}`);
	await visit('checkout');
	await press(page, t('checkout.subscribe'));
	await visit('checkout-wrong');
	await fillCheckout(page, email, { first_name: '' });
	await press(page, t('checkout.subscribe'));
	await visit('checkout-kept');
	assert.equal(await page.inputValue('[name=company]'), person.company);
	assert.equal(await page.inputValue('[name=password]'), '');
	assert.ok(await page.locator('[value=yearly]').isChecked());
	await fillCheckout(page, email);
	await page.locator('label[for=billing-monthly]').click();
	await press(page, t('checkout.subscribe'));
	assert.equal(new URL(page.url()).pathname, '/account');
	await visit('account');
	return email;
}

async function tourChange(page, url, t, visit) {
	await press(page, t('account.change'));
	await visit('change');
	await press(page, t('change.preview'));
	await visit('change-wrong');
	await page.locator('label[for=package-premium]').click();
	await page.locator('label[for=billing-yearly]').click();
	await page.locator('label[for=when-period_end]').click();
	await press(page, t('change.preview'));
	await visit('preview-later');
	await press(page, t('preview.confirm'));
	await visit('account-planned');
	await press(page, t('account.keep'));
	await page.goto(`${url}/account/change?package_slug=premium&billing_cycle=monthly&when=now`);
	await visit('preview-now');
	await press(page, t('preview.confirm'));
	await visit('account-changed');
}

async function tourCancel(page, url, t, visit) {
	await press(page, t('account.cancel'));
	await visit('cancel');
	await page.fill('[name=reason]', 'x'.repeat(501));
	await press(page, t('cancel.confirm'));
	await visit('cancel-wrong');
	await page.fill('[name=reason]', 'Too dear');
	await press(page, t('cancel.confirm'));
	await visit('account-ending');
	await Promise.all([page.waitForNavigation(), page.getByRole('link', { name: t('account.end_now') }).click()]);
	await press(page, t('cancel.confirm'));
	await visit('account-ended');
	await page.goto(`${url}/checkout/free`);
	await visit('checkout-signed-in');
	await press(page, t('checkout.subscribe'));
	await visit('checkout-signed-in-wrong');
}

async function tourDoor(page, t, email, visit) {
	await press(page, t('nav.sign_out'));
	await visit('sign-in');
	await page.fill('[name=email]', email);
	await page.fill('[name=password]', 'wrong password');
	await press(page, t('sign_in.button'));
	await visit('sign-in-wrong');
	await page.fill('[name=password]', person.password);
	await press(page, t('sign_in.button'));
	assert.equal(new URL(page.url()).pathname, '/account');
}

async function tourReset(page, server, t, email, visit) {
	const link = server.run('user', 'reset-password', email).trim();
	await page.goto(link);
	await visit('reset');
	await press(page, t('reset.button'));
	await visit('reset-wrong');
	await page.fill('[name=password]', 'another phrase');
	await press(page, t('reset.button'));
	assert.equal(new URL(page.url()).pathname, '/account');
	await visit('account-new-password');
	await page.goto(link);
	await visit('reset-void');
}

async function tourRefusals(page, url, visit) {
	await page.goto(`${url}/account`);
	await page.context().clearCookies({ name: 'csrf' });
	await page.locator('form[action^="/sign-out"] [name=csrf_token]').evaluate((e) => { e.value = 'forged'; });
	await Promise.all([page.waitForNavigation(), page.locator('form[action^="/sign-out"] button').click()]);
	await visit('forbidden');
}

export async function tour(page, server, lang, visit) {
	const t = texts(lang);
	const email = await tourCheckout(page, server.url, lang, t, visit);
	await tourChange(page, server.url, t, visit);
	await tourCancel(page, server.url, t, visit);
	await tourDoor(page, t, email, visit);
	await tourReset(page, server, t, email, visit);
	await tourRefusals(page, server.url, visit);
}
