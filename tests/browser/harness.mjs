// Starts the real executable and Chromium, runs tests one after another, counts them.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '..', '..');
export const artefacts = path.join(root, 'tests', 'artefacts', 'browser');
export const long = process.env.TD_LONG === '1';
const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const chromiumFlags = [
	'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export class Skip extends Error {}

// Ends by itself where the process does not say "Listening on" in time.
export async function startServer(env = {}) {
	const program = path.resolve(process.env.TOOLS_DASHBOARD ?? path.join(root, 'build', 'tools-dashboard'));
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'td-browser-'));
	const child = spawn(program, ['serve'], {
		cwd: folder,
		env: { PATH: process.env.PATH, PORT: '0', ...env },
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let log = '';
	const listening = new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`no "Listening on" in 30 s:\n${log}`)), 30000);
		child.stderr.on('data', (bytes) => {
			log += bytes;
			const found = /Listening on (http:\/\/\S+)/.exec(log);
			if (found) {
				clearTimeout(timer);
				resolve(found[1]);
			}
		});
		child.on('error', reject);
		child.on('exit', (code) => reject(new Error(`ended with ${code}:\n${log}`)));
	});
	listening.catch(() => {});
	const server = {
		folder,
		// A command beside it, on the same database; what it prints.
		run(...args) {
			const { port } = new URL(server.url);
			const done = spawnSync(program, args, { cwd: folder, env: { PATH: process.env.PATH, ...env, PORT: port }, encoding: 'utf8' });
			if (done.status !== 0)
				throw new Error(`${args.join(' ')}: ${done.stderr}`);
			return done.stdout;
		},
		log: () => log,
		async stop() {
			const gone = new Promise((resolve) => child.on('exit', resolve));
			if (child.exitCode === null) {
				child.kill('SIGTERM');
				await gone;
			}
			fs.rmSync(folder, { recursive: true, force: true });
		},
	};
	try {
		server.url = await listening;
		await waitFor(async () => (await fetch(`${server.url}/readyz`)).status === 200, 'ready');
	} catch (error) {
		child.kill('SIGKILL');
		throw error;
	}
	return server;
}

export async function waitFor(condition, what, seconds = 20) {
	const end = Date.now() + seconds * 1000;
	while (!(await condition())) {
		if (Date.now() > end)
			throw new Error(`${what}: did not come true in ${seconds} s`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

export function launchBrowser() {
	return chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
}

// A page in a context of its own. Whatever the browser complains about (the console's errors, a
// violation of the content security policy) is collected and makes the test fail at its end.
async function openPage(t, options = {}) {
	const context = await t.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
	const complaints = [];
	await context.exposeBinding('tdComplain', (_source, text) => complaints.push(text));
	await context.addInitScript(() => {
		document.addEventListener('securitypolicyviolation', (event) =>
			globalThis.tdComplain(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
	});
	const page = await context.newPage();
	page.on('console', (message) => {
		const expected = options.expectStatus && message.text().includes(`${options.expectStatus}`);
		if (message.type() === 'error' && !expected)
			complaints.push(`console: ${message.text()}`);
	});
	page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
	t.opened.push({ context, complaints });
	return page;
}

async function runOne(test, browser, server) {
	const t = { browser, server, url: server.url, opened: [], note: '' };
	t.open = (options) => openPage(t, options);
	t.shot = (page, name, options = {}) =>
		page.screenshot({ path: path.join(artefacts, `${name}.png`), ...options });
	try {
		await test.run(t);
		const complaints = t.opened.flatMap((one) => one.complaints);
		if (complaints.length > 0)
			throw new Error(complaints.join('\n'));
	} finally {
		for (const { context } of t.opened)
			await context.close();
	}
	return t.note;
}

export async function runAll(tests, wanted) {
	fs.mkdirSync(artefacts, { recursive: true });
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const server = await startServer();
	const browser = await launchBrowser();
	try {
		for (const test of tests.filter((one) => !wanted || one.name.includes(wanted))) {
			const begin = Date.now();
			try {
				const note = await runOne(test, browser, server);
				counts.passed++;
				console.log(`ok      ${test.name} (${Date.now() - begin} ms)${note ? ` ${note}` : ''}`);
			} catch (error) {
				const skipped = error instanceof Skip;
				counts[skipped ? 'skipped' : 'failed']++;
				console.log(`${skipped ? 'skipped' : 'FAILED '} ${test.name}: ${skipped ? error.message : error.stack}`);
			}
		}
	} finally {
		await browser.close();
		await server.stop();
	}
	console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	return counts;
}
