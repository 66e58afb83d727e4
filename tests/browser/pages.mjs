// The pages beside pricing, and the files they need.
import assert from 'node:assert/strict';

const html = { accept: 'text/html,application/xhtml+xml' };

export default [
	{ name: 'pages: / leads to /pricing', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/?lang=es`);
		assert.equal(new URL(page.url()).pathname, '/pricing');
		assert.equal(await page.getAttribute('html', 'lang'), 'es');
	} },
	{ name: 'pages: checkout shows the choice, and leads back to it', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/checkout/standard?billing=yearly&lang=en`);
		assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Subscribe to Standard');
		const text = await page.locator('.summary').innerText();
		for (const part of ['Standard', 'Yearly', '$299.00', '$60.88', '100', '2,000'])
			assert.ok(text.includes(part), `${part} in ${text}`);
		await t.shot(page, 'checkout-en-light', { fullPage: true });
		await page.getByRole('link', { name: 'All packages' }).click();
		assert.ok(await page.getByRole('radio', { name: 'Yearly' }).isChecked());
	} },
	{ name: 'pages: an unknown package is a page, with 404', async run(t) {
		const page = await t.open({ expectStatus: 404 });
		const answer = await page.goto(`${t.url}/checkout/nothing?lang=en`);
		assert.equal(answer.status(), 404);
		assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'There is no such package');
	} },
	{ name: 'pages: an unknown address is a page for browsers and a problem for programs', async run(t) {
		const page = await t.open({ expectStatus: 404, colorScheme: 'dark' });
		const answer = await page.goto(`${t.url}/no/such/page?lang=es`);
		assert.equal(answer.status(), 404);
		assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Esta página no existe');
		await t.shot(page, 'not-found-es-dark');
		const plain = await fetch(`${t.url}/no/such/page`, { headers: { accept: 'application/json' } });
		assert.equal(plain.status, 404);
		assert.equal(plain.headers.get('content-type'), 'application/problem+json');
	} },
	{ name: 'pages: an address that does not take the method says which it takes', async run(t) {
		const answer = await fetch(`${t.url}/pricing`, { method: 'DELETE', headers: html });
		assert.equal(answer.status, 405);
		assert.match(answer.headers.get('allow'), /GET/);
		assert.match(answer.headers.get('content-type'), /text\/html/);
	} },
	{ name: 'pages: script in an address is shown as text, never run', async run(t) {
		const answer = await fetch(`${t.url}/checkout/${encodeURIComponent('"><script>alert(1)</script>')}?lang=%22%3E%3Cb%3E&billing=%3Cb%3E`, { headers: html });
		assert.equal(answer.status, 404);
		assert.doesNotMatch(await answer.text(), /<script|<b>/);
	} },
	{ name: 'pages: every problem code has its page, in both languages', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/problems?lang=en`);
		const codes = (await page.locator('.index code').allInnerTexts()).map((c) => c.split(' ')[1]);
		assert.ok(codes.length > 20, `${codes.length} codes`);
		for (const code of codes) {
			for (const lang of ['en', 'es']) {
				const answer = await fetch(`${t.url}/problems/${code}?lang=${lang}`);
				assert.equal(answer.status, 200, code);
				assert.match(await answer.text(), new RegExp(`<code>${code}</code>`));
			}
		}
		await page.getByRole('link', { name: 'email-taken' }).click();
		await t.shot(page, 'problem-en-light');
		assert.equal((await fetch(`${t.url}/problems/nonsense`, { headers: html })).status, 404);
	} },
	{ name: 'pages: static files are kept for ever under the name of their content', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/pricing`);
		const href = await page.getAttribute('link[rel=stylesheet]', 'href');
		assert.match(href, /^\/static\/style\.[0-9a-f]{16}\.css$/);
		const kept = await fetch(t.url + href, { headers: { 'accept-encoding': 'br' } });
		assert.match(kept.headers.get('cache-control'), /immutable/);
		assert.equal(kept.headers.get('content-encoding'), 'br');
		const plain = await fetch(`${t.url}/static/style.css`);
		assert.doesNotMatch(plain.headers.get('cache-control') ?? '', /immutable/);
		assert.equal(await plain.text(), await kept.text());
		const again = await fetch(t.url + href, { headers: { 'accept-encoding': 'br', 'if-none-match': kept.headers.get('etag') } });
		assert.equal(again.status, 304);
		assert.equal((await fetch(`${t.url}/static/style.0000000000000000.css`)).status, 404);
		assert.equal((await fetch(`${t.url}/static/..%2f..%2fetc%2fpasswd`)).status, 404);
	} },
];
