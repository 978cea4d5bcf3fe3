import { defineConfig } from '@playwright/test';
import { browser, results } from './browser.js';

export default defineConfig({
  testDir: '.',
  testMatch: 'screenshots.js',
  outputDir: results,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  workers: 1,
  reporter: 'line',
  use: browser,
});
