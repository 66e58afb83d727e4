// What the pricing page says, in both languages, held against the API's data.
import assert from 'node:assert/strict';

async function packages(t) {
	const answer = await fetch(`${t.url}/user-subscription/packages`);
	assert.equal(answer.status, 200);
	return answer.json();
}

const languages = {
	en: { locale: 'en-US', continues: 'Continue', with: 'Continue with', popular: 'Most popular', saves: 'saves', hour: 'Requests an hour', no: 'Not included', yes: 'Included', yearly: 'Yearly' },
	es: { locale: 'es-ES', continues: 'Continuar', with: 'Continuar con', popular: 'Más popular', saves: 'ahorra', hour: 'Solicitudes por hora', no: 'No incluido', yes: 'Incluido', yearly: 'Anual' },
};

function named(one, lang) {
	return lang === 'en' ? one.name : (one.metadata[`name.${lang}`] ?? one.name);
}

// What the page must say for an amount is what the Unicode CLDR says, as the browser knows it.
function money(words, one, amount) {
	return new Intl.NumberFormat(words.locale, { style: 'currency', currency: one.currency }).format(amount);
}

function saving(one) {
	const cents = Math.round(one.price_monthly * 100) * 12 - Math.round(one.price_yearly * 100);
	return { cents, percent: Math.round((cents / (one.price_monthly * 1200)) * 100) };
}

async function assertCard(card, one, lang) {
	const words = languages[lang];
	assert.equal(await card.getByRole('heading').innerText(), named(one, lang));
	const text = (await card.innerText()).replaceAll('\n', ' ');
	const tagline = lang === 'en' ? one.metadata.tagline : one.metadata[`tagline.${lang}`];
	assert.ok(text.includes(tagline), `${one.slug}: no tagline in ${text}`);
	assert.equal(await card.locator('.if-monthly .amount').innerText(), money(words, one, one.price_monthly));
	const number = (n) => new Intl.NumberFormat(words.locale).format(n);
	assert.deepEqual(await card.locator('.limits dd').allInnerTexts(),
		[number(one.rate_limit_per_hour), number(one.rate_limit_per_day)]);
	const { cents, percent } = saving(one);
	const save = card.locator('.if-monthly .save');
	assert.equal(await save.count(), cents > 0 ? 1 : 0);
	if (cents > 0) {
		assert.ok((await save.innerText()).includes(money(words, one, cents / 100)));
		assert.ok((await save.innerText()).includes(`${percent}`));
	}
	const link = card.getByRole('link', { name: `${words.with} ${named(one, lang)}`, exact: true });
	assert.equal(await link.count(), 1, 'one Continue is there, the other period\'s is hidden');
	assert.equal(await link.innerText(), words.continues);
	assert.match(await link.getAttribute('href'), new RegExp(`^/checkout/${one.slug}\\?billing=monthly`));
	const features = await card.locator('.features li').allTextContents();
	assert.deepEqual(features.map((f) => f.split(':')[0]), one.features.map((f) => (f.included ? words.yes : words.no)));
}

async function assertComparison(page, all, lang) {
	const table = page.getByRole('table');
	const columns = (await table.locator('thead th[scope=col]').allTextContents()).map((c) => c.replace(languages[lang].popular, ''));
	assert.deepEqual(columns, all.map((one) => named(one, lang)));
	const ids = new Set(all.flatMap((one) => one.features.map((f) => f.id)));
	assert.equal(await table.locator('tbody th[scope=row]').count(), ids.size + 4);
	assert.equal(await table.locator('tbody td').count(), (ids.size + 4) * all.length);
}

async function readPricing(t, lang) {
	const page = await t.open();
	const answer = await page.goto(`${t.url}/pricing?lang=${lang}`);
	const all = await packages(t);
	assert.equal(answer.status(), 200);
	assert.equal(answer.headers()['content-language'], lang);
	assert.match(answer.headers().vary, /accept-language/i);
	assert.equal(await page.getAttribute('html', 'lang'), lang);
	const cards = page.locator('.card');
	assert.equal(await cards.count(), all.length);
	for (let i = 0; i < all.length; i++)
		await assertCard(cards.nth(i), all[i], lang);
	const popular = cards.filter({ hasText: languages[lang].popular });
	assert.equal(await popular.count(), 1);
	assert.equal(await popular.getByRole('heading').innerText(), named(all.find((p) => p.metadata.highlight === 'true'), lang));
	assert.ok(await page.getByRole('radio', { name: languages[lang].yearly, exact: true }).count());
	await assertComparison(page, all, lang);
	await t.shot(page, `pricing-${lang}-1280-light`, { fullPage: true });
}

export default [
	{ name: 'pricing: the four packages of the built-in catalogue, in order', async run(t) {
		const page = await t.open();
		await page.goto(`${t.url}/pricing?lang=en`);
		assert.deepEqual(await page.locator('.card h3').allInnerTexts(), ['Free', 'Standard', 'Premium', 'Enterprise']);
		assert.deepEqual(await page.locator('.card .if-monthly .amount').allInnerTexts(), ['$0.00', '$29.99', '$79.99', '$299.99']);
		assert.deepEqual(await page.locator('.card .if-yearly .amount').allTextContents(), ['$0.00', '$299.00', '$799.00', '$2,999.00']);
	} },
	{ name: 'pricing: everything the API knows, in English', run: (t) => readPricing(t, 'en') },
	{ name: 'pricing: everything the API knows, in Spanish', run: (t) => readPricing(t, 'es') },
	{ name: 'pricing: nothing inline, nothing from elsewhere', async run(t) {
		const page = await t.open();
		const asked = [];
		page.on('request', (request) => asked.push(request.url()));
		const answer = await page.goto(`${t.url}/pricing`);
		const csp = answer.headers()['content-security-policy'];
		assert.match(csp, /default-src 'none'/);
		assert.doesNotMatch(csp, /unsafe|\*|data:/);
		assert.equal(await page.locator('script, style, [style], [onclick]').count(), 0);
		assert.ok(asked.every((url) => url.startsWith(t.url)), asked.join(' '));
		assert.ok(asked.length <= 6, `${asked.length} requests`);
	} },
	{ name: 'pricing: prepared once, compressed, and not sent twice', async run(t) {
		const first = await fetch(`${t.url}/pricing?lang=en`, { headers: { 'accept-encoding': 'br' } });
		assert.equal(first.headers.get('content-encoding'), 'br');
		const etag = first.headers.get('etag');
		const again = await fetch(`${t.url}/pricing?lang=en`, { headers: { 'accept-encoding': 'br', 'if-none-match': etag } });
		assert.equal(again.status, 304);
		const other = await fetch(`${t.url}/pricing?lang=es`, { headers: { 'accept-encoding': 'br' } });
		assert.notEqual(other.headers.get('etag'), etag);
	} },
];
