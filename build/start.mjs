// `npm start`: the agent with the best sensor there is, and its console.
process.argv.splice(2, 0, 'run', '--open');
await import('../out/agent/sentinel.mjs');
