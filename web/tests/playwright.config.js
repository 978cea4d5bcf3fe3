import { defineConfig } from '@playwright/test';
import { browser, results } from './browser.js';

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.js',
  outputDir: results,
  timeout: 240_000,
  expect: { timeout: 45_000 },
  fullyParallel: true,
  // A person is signed in once: as many at once as there are tokens.
  workers: (process.env.ACCESS_TOKEN ?? '').split(/[\s,]+/).filter(Boolean).length || 1,
  reporter: 'line',
  use: { ...browser, trace: 'retain-on-failure' },
});
