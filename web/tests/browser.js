// The browser of every test: Debian's Chromium by default, allowed to reach only the platform.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BASE_URL } from './platform.js';

export const browser = {
  baseURL: BASE_URL,
  browserName: 'chromium',
  launchOptions: {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  },
};

export const results = join(tmpdir(), 'tacos-web-tests');
