import { main } from '../src/cli/main.ts';

// The command line, as bin/tandem.js starts it, from the same build as the rest of the benchmark.
process.exitCode = await main(process.argv.slice(2));
