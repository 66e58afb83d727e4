// The entry point: node run.mjs [PART OF A TEST'S NAME]
// TOOLS_DASHBOARD is the executable (default: build/tools-dashboard), CHROMIUM the browser (default:
// /usr/bin/chromium). TD_LONG=1 also asserts Lighthouse's performance.
import { runAll } from './harness.mjs';
import accessibility from './accessibility.mjs';
import account from './account.mjs';
import choices from './choices.mjs';
import lighthouse from './lighthouse.mjs';
import pages from './pages.mjs';
import pricing from './pricing.mjs';
import shapes from './shapes.mjs';

const tests = [...pricing, ...choices, ...pages, ...shapes, ...account, ...accessibility, ...lighthouse];
const counts = await runAll(tests, process.argv[2]);
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
