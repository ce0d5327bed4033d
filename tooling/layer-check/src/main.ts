import { fileURLToPath } from 'node:url';
import { checkRepository } from './check.ts';
import { formatViolation } from './violation.ts';

// src/ and dist/ lie equally deep, so the repository is at the same place from both.
const root = fileURLToPath(new URL('../../../', import.meta.url));
const { packages, files, violations } = checkRepository(root);

for (const violation of violations) console.error(formatViolation(violation));
console.log(`layer check: ${packages} packages, ${files} files, ${violations.length} violations`);
if (violations.length > 0) process.exitCode = 1;
