#!/usr/bin/env node
// The `sentinel` command of a checkout.
await import('../out/agent/sentinel.mjs');
