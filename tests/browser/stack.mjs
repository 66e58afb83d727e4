// A visitor of a stack that runs elsewhere: node stack.mjs URL. On the pricing page four packages, on
// each of them Continue, behind it the checkout, and after that the account with the subscription.
import assert from 'node:assert/strict';
import { launchBrowser } from './harness.mjs';
import { fillCheckout, newEmail, press } from './tour.mjs';

const url = process.argv[2];
const names = ['Free', 'Standard', 'Premium', 'Enterprise'];

async function subscribe(browser, name) {
	const context = await browser.newContext();
	const page = await context.newPage();
	await page.goto(`${url}/pricing?lang=en`);
	assert.deepEqual(await page.locator('.cards h3').allInnerTexts(), names);
	await Promise.all([page.waitForNavigation(), page.locator('main').getByRole('link', { name: `Continue with ${name}` }).click()]);
	assert.equal(new URL(page.url()).pathname, `/checkout/${name.toLowerCase()}`);
	await fillCheckout(page, newEmail());
	await press(page, 'Subscribe');
	assert.equal(new URL(page.url()).pathname, '/account');
	assert.match(await page.locator('main').innerText(), new RegExp(name));
	await context.close();
	console.log(`subscribed to ${name}`);
}

const browser = await launchBrowser();
try {
	for (const name of names)
		await subscribe(browser, name);
} finally {
	await browser.close();
}
