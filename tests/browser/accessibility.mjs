// axe-core on every page, in both languages and both colour schemes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const states = [
	{ name: 'pricing', address: '/pricing', narrow: true },
	{ name: 'pricing yearly', address: '/pricing?billing=yearly', narrow: true },
	{ name: 'checkout', address: '/checkout/premium?billing=yearly', narrow: true },
	{ name: 'unknown package', address: '/checkout/nothing', status: 404 },
	{ name: 'unknown address', address: '/nothing', status: 404 },
	{ name: 'problems', address: '/problems' },
	{ name: 'problem', address: '/problems/validation' },
];

// The page's policy forbids inline script, so axe is put in past it by the debugger's own door.
export async function violations(page) {
	await page.evaluate(axe);
	const result = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations', 'incomplete'] }), tags);
	assert.ok(result.passes.length > 10, 'axe looked at something');
	return result.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary}`));
}

async function look(t, state, width) {
	for (const lang of ['en', 'es']) {
		for (const colorScheme of ['light', 'dark']) {
			const page = await t.open({ colorScheme, viewport: { width, height: 900 }, expectStatus: state.status });
			const answer = await page.goto(`${t.url}${state.address}${state.address.includes('?') ? '&' : '?'}lang=${lang}`);
			assert.equal(answer.status(), state.status ?? 200);
			assert.deepEqual(await violations(page), [], `${state.name} ${lang} ${colorScheme} ${width}`);
		}
	}
}

export default [
	...states.map((state) => ({ name: `axe: ${state.name}, wide`, run: (t) => look(t, state, 1280) })),
	...states.filter((state) => state.narrow).map((state) => ({ name: `axe: ${state.name}, narrow`, run: (t) => look(t, state, 320) })),
];
